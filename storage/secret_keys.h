// The keys that stored secrets are sealed under. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace hookd {

inline constexpr size_t kSecretKeyBytes = 32;
inline constexpr size_t kMaxOldSecretKeys = 8;

struct SecretKey {
  std::array<uint8_t, kSecretKeyBytes> bytes{};
  // Tells keys apart, and nothing else about them. Never 0.
  uint32_t id() const;
};

// "1a2b3c4d", as files, logs and reads show it.
std::string KeyIdText(uint32_t id);

// 32 bytes as base64 or hex; white space around it is left out. INVALID_ARGUMENT does not repeat the text.
absl::StatusOr<SecretKey> ParseSecretKey(std::string_view text);

// `newest` seals; it and the old ones open. Without a newest, new secrets are stored in clear.
struct SecretKeys {
  std::optional<SecretKey> newest;
  std::vector<SecretKey> old;  // at most kMaxOldSecretKeys
};

// INVALID_ARGUMENT: two keys with one id.
absl::Status CheckSecretKeys(const SecretKeys& keys);

}  // namespace hookd
