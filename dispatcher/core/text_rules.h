// Rules for short texts that people or the platform give. `field` begins the message of the INVALID_ARGUMENT;
// the text itself is never in it.
#pragma once

#include <string_view>

#include <absl/status/status.h>

namespace hookd {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// At most `max_bytes` of UTF-8 without ASCII control characters; may be empty.
absl::Status CheckText(std::string_view field, std::string_view text, size_t max_bytes);

// 1 to `max_bytes` letters, digits and characters of `punctuation`.
absl::Status CheckName(std::string_view field, std::string_view text, size_t max_bytes,
                       std::string_view punctuation);

inline constexpr size_t kMaxMailAddressBytes = 254;

// LOCAL@DOMAIN of visible ASCII, as mail servers pass it on without quoting: at most kMaxMailAddressBytes.
absl::Status CheckMailAddress(std::string_view field, std::string_view address);

}  // namespace hookd
