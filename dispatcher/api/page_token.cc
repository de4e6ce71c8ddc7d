#include "dispatcher/api/page_token.h"

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

namespace hookd {
namespace {

constexpr size_t kFingerprintBytes = 8;

// FNV-1a with a final mix: the same on every machine and after every restart.
uint64_t Hash(uint64_t hash, absl::string_view text) {
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  hash = (hash ^ text.size()) * 0x100000001b3u;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93u;
  return hash ^ (hash >> 32);
}

std::string Fingerprint(absl::string_view query, absl::string_view position) {
  uint64_t hash = Hash(Hash(0xcbf29ce484222325u, query), position);
  std::string bytes(kFingerprintBytes, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(hash & 0xff);
    hash >>= 8;
  }
  return bytes;
}

}  // namespace

std::string MakePageToken(absl::string_view query, absl::string_view position) {
  if (position.empty()) return "";
  return absl::WebSafeBase64Escape(absl::StrCat(Fingerprint(query, position), position));
}

absl::StatusOr<std::string> ParsePageToken(absl::string_view query, absl::string_view token) {
  if (token.empty()) return std::string();
  const absl::Status bad = absl::InvalidArgumentError(
      "page_token: not from the page before, with the same filter; leave it empty to begin again");
  std::string bytes;
  if (token.size() > kMaxPageTokenBytes || !absl::WebSafeBase64Unescape(token, &bytes)) return bad;
  if (bytes.size() <= kFingerprintBytes) return bad;
  const absl::string_view position = absl::string_view(bytes).substr(kFingerprintBytes);
  if (Fingerprint(query, position) != absl::string_view(bytes).substr(0, kFingerprintBytes)) return bad;
  return std::string(position);
}

absl::StatusOr<size_t> CheckPageSize(int32_t page_size) {
  if (page_size < 0 || page_size > static_cast<int32_t>(kMaxPageSize)) {
    return absl::InvalidArgumentError(absl::StrCat("page_size: ", page_size, " is out of range, use 1 to ",
                                                   kMaxPageSize, ", or 0 for ", kDefaultPageSize));
  }
  return page_size == 0 ? kDefaultPageSize : static_cast<size_t>(page_size);
}

}  // namespace hookd
