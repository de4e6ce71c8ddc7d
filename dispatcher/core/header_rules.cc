#include "dispatcher/core/header_rules.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/ascii.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

constexpr std::string_view kTokenPunctuation = "!#$%&'*+-.^_`|~";

constexpr std::string_view kForbiddenNames[] = {
    "connection",     "keep-alive",   "te",     "trailer",    "transfer-encoding", "upgrade",   "host",
    "content-length", "content-type", "expect", "user-agent", "traceparent",       "tracestate"};
constexpr std::string_view kForbiddenPrefixes[] = {"proxy-", "webhook-", "hookd-"};

bool IsForbidden(std::string_view lower_name) {
  return std::find(std::begin(kForbiddenNames), std::end(kForbiddenNames), lower_name) !=
             std::end(kForbiddenNames) ||
         std::any_of(std::begin(kForbiddenPrefixes), std::end(kForbiddenPrefixes),
                     [&](std::string_view prefix) { return lower_name.starts_with(prefix); });
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

absl::Status CheckValue(std::string_view field, std::string_view value) {
  if (value.size() > kMaxHeaderValueBytes) {
    return absl::InvalidArgumentError(
        Concat(field, ": is ", value.size(), " bytes long, use at most ", kMaxHeaderValueBytes));
  }
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (!printable) {
    return absl::InvalidArgumentError(Concat(field, ": holds a control or non-ASCII character, remove it"));
  }
  // HTTP strips it, so that the receiver would see another value.
  if (!value.empty() && (IsBlank(value.front()) || IsBlank(value.back()))) {
    return absl::InvalidArgumentError(Concat(field, ": begins or ends with white space, remove it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckHeaders(const std::vector<Header>& headers) {
  if (headers.size() > kMaxHeaders) {
    return absl::InvalidArgumentError(
        Concat("headers: there are ", headers.size(), ", use at most ", kMaxHeaders));
  }
  absl::flat_hash_set<std::string> seen;
  size_t bytes = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    const Header& header = headers[i];
    const std::string name_field = Concat("headers[", i, "].name");
    RETURN_IF_ERROR(CheckName(name_field, header.name, kMaxHeaderNameBytes, kTokenPunctuation));
    std::string name = absl::AsciiStrToLower(header.name);
    if (IsForbidden(name)) {
      return absl::InvalidArgumentError(
          Concat(name_field, ": ", name, " is set by hookd or by HTTP, remove it"));
    }
    if (!seen.insert(std::move(name)).second) {
      return absl::InvalidArgumentError(Concat(name_field, ": appears before, use each name once"));
    }
    RETURN_IF_ERROR(CheckValue(Concat("headers[", i, "].value"), header.value));
    bytes += header.name.size() + header.value.size();
  }
  if (bytes > kMaxHeadersBytes) {
    return absl::InvalidArgumentError(
        Concat("headers: are ", bytes, " bytes in all, use at most ", kMaxHeadersBytes));
  }
  return absl::OkStatus();
}

}  // namespace hookd
