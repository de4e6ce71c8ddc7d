// One JSON object, member by member, for the log. A value type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace hookd {

// Longer texts are cut in the log.
inline constexpr size_t kMaxLogText = 4096;

// `text` as a JSON string with its quotes: always valid JSON and UTF-8, without control characters. Bytes
// that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string& out);

// RFC 3339 in UTC with milliseconds: "2024-05-01T12:00:00.123Z".
std::string FormatWallTime(WallMs time);

class JsonLine {
 public:
  // `key` needs no escaping.
  JsonLine& Text(std::string_view key, std::string_view value);
  JsonLine& Number(std::string_view key, int64_t value);
  JsonLine& Bool(std::string_view key, bool value);

  // The members without the braces.
  const std::string& members() const { return members_; }

 private:
  void Key(std::string_view key);

  std::string members_;
};

}  // namespace hookd
