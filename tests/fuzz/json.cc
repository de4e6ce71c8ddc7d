// JSON: what CheckJson takes is UTF-8, and a value to a reader that keeps it; each of its members is found,
// and is a value of its own. The input: a text.
#include <algorithm>
#include <optional>
#include <string>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "dispatcher/core/json_member.h"
#include "dispatcher/core/json_rules.h"
#include "dispatcher/core/text_rules.h"
#include "tests/fuzz/fuzz.h"

namespace {

// But for numbers: the last digit that is read depends on how much text follows, and 0E400 equals nothing.
bool IsAlike(const boost::json::value& a, const boost::json::value& b) {
  if (a.is_number() && b.is_number()) return true;
  if (const auto* array = a.if_array()) {
    const auto* other = b.if_array();
    return other != nullptr &&
           std::equal(array->begin(), array->end(), other->begin(), other->end(), IsAlike);
  }
  if (const auto* object = a.if_object()) {
    const auto* other = b.if_object();
    return other != nullptr && object->size() == other->size() &&
           std::all_of(object->begin(), object->end(), [&](const auto& member) {
             const auto* value = other->if_contains(member.key());
             return value != nullptr && IsAlike(member.value(), *value);
           });
  }
  return a == b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Status checked = CheckJson(text);
  if (!checked.ok()) {
    fuzz::MustRefuse(checked, 256);
    return 0;
  }
  Must(IsUtf8(text), "a payload is UTF-8");
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error, {}, options);
  Must(!error, "a payload is read as a value");
  if (!value.is_object()) {
    Must(!JsonMember(text, "a"), "what is no object has no member");
    return 0;
  }
  const bool escapes = text.find('\\') != std::string::npos;
  for (const auto& [key, member] : value.get_object()) {
    const std::optional<std::string_view> found = JsonMember(text, {key.data(), key.size()});
    Must(found || escapes, "a member is found");
    if (!found) continue;
    Must(CheckJson(*found).ok(), "a member is a value");
    const boost::json::value alone = boost::json::parse({found->data(), found->size()}, error, {}, options);
    Must(escapes || IsAlike(alone, member), "and the one that a reader has");
  }
  return 0;
}
