// What a payload may be.
#pragma once

#include <string_view>

#include <absl/status/status.h>

namespace hookd {

inline constexpr size_t kMaxJsonDepth = 64;

// One complete JSON value (RFC 8259) in UTF-8, nested at most kMaxJsonDepth levels, with nothing but white
// space around it. Stricter than the RFC in what few receivers can read: no escaped lone surrogate, no
// exponent beyond 32 bits. INVALID_ARGUMENT says what is wrong at which byte (from 0), and holds nothing of
// the text. Uses little stack.
absl::Status CheckJson(std::string_view text);

}  // namespace hookd
