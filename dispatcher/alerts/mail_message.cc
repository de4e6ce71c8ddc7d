#include "dispatcher/alerts/mail_message.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include "base/concat.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

// 60 characters of base64, which with "=?UTF-8?B?" and "?=" are within the 75 of an encoded word.
constexpr size_t kWordBytes = 45;
// Of a quoted-printable line, the "=" of a soft break included.
constexpr size_t kQuotedLine = 76;

bool IsInsideCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// At most `max` bytes, and no part of a character.
std::string_view Head(std::string_view text, size_t max) {
  if (text.size() <= max) return text;
  while (max > 0 && IsInsideCharacter(text[max])) --max;
  return text.substr(0, max);
}

std::string Date(WallMs ms) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

}  // namespace

std::string OneLine(std::string_view text) {
  const bool utf8 = IsUtf8(text);
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_iscntrl(byte)) {
      line += ' ';
    } else {
      line += byte >= 0x80 && !utf8 ? '?' : c;
    }
  }
  return line;
}

std::string EncodeHeader(std::string_view text) {
  const std::string line = OneLine(text);
  bool plain = line.find("=?") == std::string::npos;
  for (const char c : line) plain &= static_cast<unsigned char>(c) < 0x80;
  if (plain) return line;
  std::string words;
  for (std::string_view rest = line; !rest.empty();) {
    const std::string_view word = Head(rest, kWordBytes);
    rest.remove_prefix(word.size());
    if (!words.empty()) words += "\r\n ";
    words += Concat("=?UTF-8?B?", absl::Base64Escape({word.data(), word.size()}), "?=");
  }
  return words;
}

std::string QuotedPrintable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    size_t column = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      const auto byte = static_cast<unsigned char>(line[i]);
      const bool last = i + 1 == line.size();
      const bool blank = byte == ' ' || byte == '\t';
      const bool plain = (byte > 32 && byte < 127 && byte != '=') || (blank && !last);
      const size_t width = plain ? 1 : 3;
      if (column + width > kQuotedLine - (last ? 0 : 1)) {
        out += "=\r\n";
        column = 0;
      }
      if (plain) {
        out += line[i];
      } else {
        out += {'=', kHex[byte >> 4], kHex[byte & 15]};
      }
      column += width;
    }
    out += "\r\n";
  }
  return out;
}

std::string ComposeMail(const Mail& mail) {
  std::string text =
      Concat("Date: ", Date(mail.date_ms), "\r\nFrom: <", OneLine(mail.from), ">\r\nTo: <", OneLine(mail.to),
             ">\r\nSubject: ", EncodeHeader(Head(OneLine(mail.subject), kMaxSubjectBytes)),
             "\r\nMessage-ID: <", OneLine(mail.message_id), ">\r\n");
  if (!mail.references.empty()) text += Concat("References: <", OneLine(mail.references), ">\r\n");
  text +=
      "Auto-Submitted: auto-generated\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n"
      "\r\n";
  text += QuotedPrintable(mail.body);
  return text;
}

}  // namespace hookd
