// Standard Webhooks 1.0.0, schemes v1 (HMAC-SHA256) and v1a (Ed25519): one key at a time. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace hookd {

inline constexpr size_t kMinKeyBytes = 24;
inline constexpr size_t kMaxKeyBytes = 64;

// "whsec_" (may be missing) and base64 (padding may be missing) to the raw key. INVALID_ARGUMENT, without the
// secret, for anything else and for keys outside kMinKeyBytes..kMaxKeyBytes. `field` begins its message.
absl::StatusOr<std::string> ParseSecret(std::string_view text, std::string_view field = "signing_secret");

// The raw key as receivers enter it: "whsec_" and padded base64.
std::string FormatSecret(std::string_view key);

// 32 random bytes. Ends the process if the system gives no randomness.
std::string GenerateKey();

// HMAC-SHA256 of `text`, raw. `key`: not empty.
std::string HmacSha256(std::string_view key, std::string_view text);

// Of webhook-signature over "<id>.<unix_seconds>.<body>": "v1," and base64. `key`: raw, not empty.
std::string SignV1(std::string_view key, std::string_view id, int64_t unix_seconds, std::string_view body);

inline constexpr size_t kEd25519Bytes = 32;  // of a seed, and of a public key

// "whsk_" and base64 of the private key's seed and the public key, to the seed. INVALID_ARGUMENT, without the
// secret, for anything else, and where the two do not belong together.
absl::StatusOr<std::string> ParsePrivateKey(std::string_view text, std::string_view field);

// As receivers enter it: "whpk_" and base64.
std::string FormatPublicKey(std::string_view public_key);

// `seed`: kEd25519Bytes, as for the next.
std::string PublicKeyOf(std::string_view seed);

// As SignV1: "v1a," and base64.
std::string SignV1a(std::string_view seed, std::string_view id, int64_t unix_seconds, std::string_view body);

// The first 8 bytes of SHA-256 over the text, as hex.
std::string FingerprintOf(std::string_view text);

}  // namespace hookd
