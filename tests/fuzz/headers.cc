// Headers: an endpoint's own cannot break out of a request; of a receiver's, what is kept is bounded text.
// The input: lines of "name: value", taken as both.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include "base/model.h"
#include "dispatcher/core/header_rules.h"
#include "dispatcher/engine/kept_headers.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

bool IsText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

void CheckTaken(const std::vector<Header>& headers) {
  for (const Header& header : headers) {
    Must(!header.name.empty() && IsText(header.name) && IsText(header.value),
         "what is taken is visible ASCII");
    Must(header.name.find_first_of("\n\t :\"(),/;<=>?@[\\]{}") == std::string::npos, "a name is a token");
    Must(header.value.find('\n') == std::string::npos, "a value is one line");
    Must(absl::StripAsciiWhitespace(header.value) == header.value, "nothing is stripped from a value");
  }
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  fuzz::Input input(data, size);
  Endpoint endpoint;
  std::vector<std::pair<std::string, std::string>> sent;
  while (!input.empty()) {
    const std::string_view whole = input.Line();
    const size_t colon = whole.find(": ");
    const std::string name(whole.substr(0, colon));
    const std::string value(colon == std::string_view::npos ? "" : whole.substr(colon + 2));
    endpoint.headers.push_back({name, value, value.size() % 2 == 1});
    sent.emplace_back(name, value);
  }
  const absl::Status taken = CheckHeaders(endpoint.headers);
  if (taken.ok()) {
    CheckTaken(endpoint.headers);
  } else {
    fuzz::MustRefuse(taken, 512);
  }

  const std::string request = KeptRequestHeaders(sent, endpoint);
  const std::string response = KeptResponseHeaders(raw);
  for (const std::string& kept : {request, response}) {
    fuzz::Must(kept.size() <= kKeptHeaderBytes && IsText(kept), "what is kept is bounded text");
  }
  if (!taken.ok() || request.size() + 8 * 1024 > kKeptHeaderBytes) return 0;
  for (const Header& header : endpoint.headers) {
    // Longer than what a name or another value is likely to hold as well.
    if (!header.secret || header.value.size() < 24) continue;
    const bool also_elsewhere =
        std::any_of(endpoint.headers.begin(), endpoint.headers.end(), [&header](const Header& other) {
          return absl::StrContains(other.name, header.value) ||
                 (!other.secret && absl::StrContains(other.value, header.value));
        });
    fuzz::Must(also_elsewhere || !absl::StrContains(request, header.value), "a secret value is not kept");
  }
  return 0;
}
