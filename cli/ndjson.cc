#include "cli/ndjson.h"

#include <optional>

#include <absl/strings/str_cat.h>
#include <google/protobuf/util/json_util.h>

namespace hookd::cli {
namespace {

constexpr std::string_view kWhitespace = " \t\r\n";

// Walks over the members of one object, without judging what is in them.
class MemberScanner {
 public:
  explicit MemberScanner(std::string_view text) : text_(text) {}

  bool Take(char c) {
    SkipWhitespace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool AtEnd() {
    SkipWhitespace();
    return at_ == text_.size();
  }

  // A string with its quotes.
  std::optional<std::string_view> TakeString() {
    SkipWhitespace();
    const size_t begin = at_;
    if (!SkipString()) return std::nullopt;
    return text_.substr(begin, at_ - begin);
  }

  // Any value, without the white space around it.
  std::optional<std::string_view> TakeValue() {
    SkipWhitespace();
    const size_t begin = at_;
    size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!SkipString()) return std::nullopt;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) break;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    std::string_view value = text_.substr(begin, at_ - begin);
    value = value.substr(0, value.find_last_not_of(kWhitespace) + 1);
    if (value.empty()) return std::nullopt;
    return value;
  }

 private:
  void SkipWhitespace() {
    while (at_ < text_.size() && kWhitespace.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  bool SkipString() {
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

absl::Status NotAnEvent(const char* why) {
  return absl::InvalidArgumentError(
      absl::StrCat(why, ", give {\"subscriber_id\": \"...\", \"type\": \"...\", \"payload\": ...}"));
}

// Where the payload's text is in `line`.
absl::Status FindPayload(std::string_view line, std::string_view& payload) {
  MemberScanner scanner(line);
  if (!scanner.Take('{')) return NotAnEvent("not a JSON object");
  bool found = false;
  do {
    const auto name = scanner.TakeString();
    if (!name || !scanner.Take(':')) return NotAnEvent("not a JSON object");
    // A name could spell "payload" with escapes, and its bytes would be missed.
    if (name->find('\\') != std::string_view::npos) return NotAnEvent("a member's name has an escape");
    const auto value = scanner.TakeValue();
    if (!value) return NotAnEvent("not a JSON object");
    if (*name != "\"payload\"") continue;
    if (found) return NotAnEvent("payload: is there twice");
    found = true;
    payload = *value;
  } while (scanner.Take(','));
  if (!scanner.Take('}') || !scanner.AtEnd()) return NotAnEvent("not a JSON object");
  if (!found) return NotAnEvent("payload: is missing");
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseEventLine(std::string_view line, v1::NewEvent& event) {
  std::string_view payload;
  if (absl::Status bad = FindPayload(line, payload); !bad.ok()) return bad;
  // The rest is parsed as the message's own JSON form, with an empty string in the payload's place.
  const auto begin = static_cast<size_t>(payload.data() - line.data());
  std::string rest(line.substr(0, begin));
  rest += "\"\"";
  rest += line.substr(begin + payload.size());
  event.Clear();
  if (const auto parsed = google::protobuf::util::JsonStringToMessage(rest, &event); !parsed.ok()) {
    return absl::InvalidArgumentError(std::string(parsed.message().data(), parsed.message().size()));
  }
  event.set_payload(std::string(payload));
  return absl::OkStatus();
}

}  // namespace hookd::cli
