#include "dispatcher/api/message_json.h"

#include <memory>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "base/concat.h"

namespace hookd {
namespace {

namespace util = google::protobuf::util;

constexpr size_t kMaxShownName = 128;
constexpr std::string_view kTypePrefix = "type.googleapis.com";

std::string UrlOf(const google::protobuf::Descriptor& type) {
  return Concat(kTypePrefix, "/", type.full_name());
}

std::unique_ptr<util::TypeResolver> ResolverOf(const google::protobuf::Descriptor& type) {
  return std::unique_ptr<util::TypeResolver>(
      util::NewTypeResolverForDescriptorPool(std::string(kTypePrefix), type.file()->pool()));
}

// Protobuf quotes what it could not read; that may be a secret or a payload. What it says is
//   "(events[0].type): invalid value VALUE for type TYPE", "(events[0]) NAME: Cannot find field.", ": TEXT",
// or "TEXT\nA PIECE OF THE BODY\n   ^".
std::string WithoutValues(std::string_view message) {
  const size_t value = message.find("): invalid value ");
  if (value != std::string_view::npos && message.front() == '(') {
    std::string_view type = message.substr(message.rfind(" for type ") + 10);
    if (type.starts_with(kTypePrefix)) type.remove_prefix(kTypePrefix.size() + 1);
    return Concat(message.substr(1, value - 1), ": is not a valid value (", type, ")");
  }
  const size_t unknown = message.rfind(": Cannot find field.");
  if (unknown != std::string_view::npos) {
    std::string_view where;
    std::string_view name = message.substr(0, unknown);
    if (const size_t end = name.find(") "); name.starts_with('(') && end != std::string_view::npos) {
      where = name.substr(1, end - 1);
      name.remove_prefix(end + 2);
    }
    return Concat(where, where.empty() ? "" : ".", name.substr(0, kMaxShownName),
                  ": there is no such field, see the .proto files");
  }
  if (message.find("Root element must be a message") != std::string_view::npos) {
    return "the body must be a JSON object, {} if there is nothing to say";
  }
  return Concat("the body is not JSON: ", message.substr(0, message.find('\n')));
}

}  // namespace

absl::StatusOr<std::string> EncodedFromJson(const google::protobuf::Descriptor& type, std::string_view json) {
  std::string encoded;
  const auto status = util::JsonToBinaryString(
      ResolverOf(type).get(), UrlOf(type), {json.data(), json.size()}, &encoded, util::JsonParseOptions());
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        WithoutValues(std::string_view(status.message().data(), status.message().size())));
  }
  return encoded;
}

absl::StatusOr<std::string> JsonFromEncoded(const google::protobuf::Descriptor& type,
                                            const std::string& encoded) {
  std::string json;
  const auto status =
      util::BinaryToJsonString(ResolverOf(type).get(), UrlOf(type), encoded, &json, util::JsonPrintOptions());
  if (!status.ok()) return absl::InternalError("the answer cannot be written as JSON");
  return json;
}

std::string JsonQuote(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      quoted += Concat("\\u00", kHex.substr(byte >> 4, 1), kHex.substr(byte & 15, 1));
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else {
      quoted += byte < 0x7f ? c : '?';
    }
  }
  quoted += '"';
  return quoted;
}

}  // namespace hookd
