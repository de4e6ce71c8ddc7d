#include "storage/secret_keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/string_view.h>
#include <openssl/sha.h>

#include "base/concat.h"

namespace hookd {
namespace {

constexpr std::string_view kIdLabel = "hookd secret key id";

bool IsHex(std::string_view text) {
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
  }
  return true;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

uint32_t SecretKey::id() const {
  const std::string labelled =
      Concat(kIdLabel, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const uint8_t*>(labelled.data()), labelled.size(), digest.data());
  uint32_t id = 0;
  for (size_t i = 0; i < sizeof(id); ++i) id = id << 8 | digest[i];
  return id == 0 ? 1 : id;
}

std::string KeyIdText(uint32_t id) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(id >> shift & 0xff));
  return absl::BytesToHexString(bytes);
}

absl::StatusOr<SecretKey> ParseSecretKey(std::string_view text) {
  const std::string_view trimmed = Trimmed(text);
  const absl::string_view encoded(trimmed.data(), trimmed.size());
  std::string bytes;
  if (trimmed.size() == 2 * kSecretKeyBytes && IsHex(trimmed)) {
    bytes = absl::HexStringToBytes(encoded);
  } else if (!absl::Base64Unescape(encoded, &bytes)) {
    bytes.clear();
  }
  if (bytes.size() != kSecretKeyBytes) {
    return absl::InvalidArgumentError(
        "is not 32 bytes as base64 or hex: `hookctl secrets generate-key` or `openssl rand -base64 32` makes "
        "a "
        "key");
  }
  SecretKey key;
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

absl::Status CheckSecretKeys(const SecretKeys& keys) {
  std::set<uint32_t> ids;
  if (keys.newest) ids.insert(keys.newest->id());
  for (const SecretKey& key : keys.old) {
    if (ids.insert(key.id()).second) continue;
    return absl::InvalidArgumentError(
        Concat("secrets: key ", KeyIdText(key.id()),
               " is given twice: an old key is not the one in use; take it out"));
  }
  return absl::OkStatus();
}

}  // namespace hookd
