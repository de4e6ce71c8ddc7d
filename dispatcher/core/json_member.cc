#include "dispatcher/core/json_member.h"

#include <cstddef>

namespace hookd {
namespace {

constexpr std::string_view kWhite = " \t\r\n";

// Behind the white space at `at`.
size_t SkipWhite(std::string_view text, size_t at) {
  at = text.find_first_not_of(kWhite, at);
  return at == std::string_view::npos ? text.size() : at;
}

// Behind the string that begins at `at`.
size_t SkipString(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// Behind the value that begins at `at`.
size_t SkipValue(std::string_view text, size_t at) {
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = SkipString(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (depth > 0) {
      if (c == '}' || c == ']') --depth;
      ++at;
    } else {
      // A number or a word.
      at = text.find_first_of(",}] \t\r\n", at);
      return at == std::string_view::npos ? text.size() : at;
    }
    if (depth == 0) return at;
  }
  return text.size();
}

}  // namespace

std::optional<std::string_view> JsonMember(std::string_view object, std::string_view name) {
  std::optional<std::string_view> found;
  size_t at = SkipWhite(object, 0);
  if (at == object.size() || object[at] != '{') return found;
  at = SkipWhite(object, at + 1);
  while (at < object.size() && object[at] == '"') {
    const size_t key_end = SkipString(object, at);
    const std::string_view key = object.substr(at + 1, key_end - at - 2);
    at = SkipWhite(object, SkipWhite(object, key_end) + 1);  // ':'
    const size_t end = SkipValue(object, at);
    if (key == name) found = object.substr(at, end - at);
    at = SkipWhite(object, SkipWhite(object, end) + 1);  // ',' or '}'
  }
  return found;
}

}  // namespace hookd
