// Standard Webhooks 1.0.0, scheme v1 (HMAC-SHA256). Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace hookd {

inline constexpr size_t kMinKeyBytes = 24;
inline constexpr size_t kMaxKeyBytes = 64;

// "whsec_" (may be missing) and base64 (padding may be missing) to the raw key. INVALID_ARGUMENT, without the
// secret, for anything else and for keys outside kMinKeyBytes..kMaxKeyBytes.
absl::StatusOr<std::string> ParseSecret(std::string_view text);

// The raw key as receivers enter it: "whsec_" and padded base64.
std::string FormatSecret(std::string_view key);

// 32 random bytes. Ends the process if the system gives no randomness.
std::string GenerateKey();

// HMAC-SHA256 of `text`, raw. `key`: not empty.
std::string HmacSha256(std::string_view key, std::string_view text);

// The value of webhook-signature over "<id>.<unix_seconds>.<body>": "v1,<base64>" for each of `keys`, in
// their order, joined by one space. `keys`: raw, at least one.
std::string SignV1(const std::vector<std::string>& keys, std::string_view id, int64_t unix_seconds,
                   std::string_view body);

}  // namespace hookd
