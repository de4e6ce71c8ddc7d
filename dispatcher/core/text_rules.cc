#include "dispatcher/core/text_rules.h"

#include <algorithm>
#include <cstdint>

#include <absl/strings/ascii.h>

#include "base/concat.h"

namespace hookd {

bool IsUtf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<uint8_t>(text[at++]);
    if (lead < 0x80) continue;
    size_t rest = 0;
    // What the second byte may be: narrower after the leads of overlong forms, surrogates and what is too
    // high.
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      rest = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      rest = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      rest = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    for (; rest > 0; --rest) {
      if (at == text.size()) return false;
      const auto next = static_cast<uint8_t>(text[at++]);
      if (next < low || next > high) return false;
      low = 0x80;
      high = 0xBF;
    }
  }
  return true;
}

absl::Status CheckText(std::string_view field, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError(
        Concat(field, ": is ", text.size(), " bytes long, use at most ", max_bytes));
  }
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (std::any_of(text.begin(), text.end(), is_control)) {
    return absl::InvalidArgumentError(Concat(field, ": holds a control character, remove it"));
  }
  if (!IsUtf8(text)) return absl::InvalidArgumentError(Concat(field, ": is not valid UTF-8"));
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view field, std::string_view text, size_t max_bytes,
                       std::string_view punctuation) {
  const auto is_allowed = [punctuation](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           punctuation.find(c) != std::string_view::npos;
  };
  if (text.empty() || text.size() > max_bytes || !std::all_of(text.begin(), text.end(), is_allowed)) {
    return absl::InvalidArgumentError(
        Concat(field, ": use 1 to ", max_bytes, " characters, of letters, digits and any of ", punctuation));
  }
  return absl::OkStatus();
}

absl::Status CheckMailAddress(std::string_view field, std::string_view address) {
  constexpr std::string_view kLocal = "!#$%&'*+-/=?^_`{|}~.";
  constexpr std::string_view kDomain = "-.";
  constexpr size_t kMaxLocalBytes = 64;
  const size_t at = address.find('@');
  const std::string_view local = address.substr(0, at);
  const std::string_view domain = at == std::string_view::npos ? "" : address.substr(at + 1);
  const auto made_of = [](std::string_view text, std::string_view punctuation) {
    return !text.empty() && text.front() != '.' && text.back() != '.' &&
           text.find("..") == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [punctuation](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    punctuation.find(c) != std::string_view::npos;
           });
  };
  if (address.size() <= kMaxMailAddressBytes && local.size() <= kMaxLocalBytes && made_of(local, kLocal) &&
      made_of(domain, kDomain)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(Concat(field, ": is not a mail address: write LOCAL@DOMAIN, at most ",
                                           kMaxMailAddressBytes, " characters, without quotes"));
}

}  // namespace hookd
