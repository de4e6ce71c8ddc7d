#include "dispatcher/core/access_token.h"

#include <algorithm>
#include <set>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

constexpr std::string_view kTextPrefix = "hkt_";
constexpr std::string_view kNamePrefix = "tok_";
constexpr size_t kIdDigits = 16;
constexpr size_t kSecretBytes = 32;
constexpr size_t kTextBytes = 85;  // prefix, id, "_", and two digits per byte of the secret
static_assert(kTextBytes == kTextPrefix.size() + kIdDigits + 1 + 2 * kSecretBytes);
constexpr size_t kMaxTokenDescription = 256;

std::array<uint8_t, 32> Sha256(std::string_view text) {
  std::array<uint8_t, 32> hash{};
  unsigned int size = 0;
  HOOKD_CHECK(EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) == 1 &&
                  size == hash.size(),
              "SHA-256 failed");
  return hash;
}

std::optional<uint64_t> ParseId(std::string_view digits) {
  uint64_t id = 0;
  const bool lower = std::all_of(digits.begin(), digits.end(),
                                 [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (digits.size() != kIdDigits || !lower || !absl::SimpleHexAtoi({digits.data(), digits.size()}, &id) ||
      id == 0) {
    return std::nullopt;
  }
  return id;
}

std::string IdDigits(uint64_t id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad16)); }

}  // namespace

NewTokenText GenerateToken() {
  std::array<uint8_t, kSecretBytes + 8> random;
  HOOKD_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1,
              "the system has no randomness");
  NewTokenText made;
  for (size_t i = kSecretBytes; i < random.size(); ++i) made.id = (made.id << 8) | random[i];
  made.id |= 1;  // never 0
  const absl::string_view secret(reinterpret_cast<const char*>(random.data()), kSecretBytes);
  made.text = absl::StrCat("hkt_", IdDigits(made.id), "_", absl::BytesToHexString(secret));
  made.hash = Sha256(made.text);
  return made;
}

std::optional<uint64_t> TokenIdOf(std::string_view text) {
  if (text.size() != kTextBytes || !text.starts_with(kTextPrefix) ||
      text[kTextPrefix.size() + kIdDigits] != '_') {
    return std::nullopt;
  }
  return ParseId(text.substr(kTextPrefix.size(), kIdDigits));
}

bool Verifies(const AccessToken& token, std::string_view text, WallMs now) {
  const std::array<uint8_t, 32> hash = Sha256(text);
  const bool same = CRYPTO_memcmp(hash.data(), token.hash.data(), hash.size()) == 0;
  return same && (token.expires_ms == 0 || now < token.expires_ms);
}

std::string TokenName(uint64_t id) { return absl::StrCat("tok_", IdDigits(id)); }

std::optional<uint64_t> ParseTokenName(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return std::nullopt;
  return ParseId(name.substr(kNamePrefix.size()));
}

absl::Status CheckToken(const AccessToken& token, WallMs now) {
  RETURN_IF_ERROR(CheckText("description", token.description, kMaxTokenDescription));
  const bool bound = token.role == TokenRole::kSubscriber;
  if (!bound && !token.subscriber_ids.empty()) {
    return absl::InvalidArgumentError(Concat("subscriber_ids: a token of role ", ToString(token.role),
                                             " is bound to none, leave it empty"));
  }
  if (bound && (token.subscriber_ids.empty() || token.subscriber_ids.size() > kMaxTokenSubscribers)) {
    return absl::InvalidArgumentError(
        absl::StrCat("subscriber_ids: name 1 to ", kMaxTokenSubscribers, " subscribers"));
  }
  std::set<std::string_view> seen;
  for (size_t i = 0; i < token.subscriber_ids.size(); ++i) {
    const std::string field = absl::StrCat("subscriber_ids[", i, "]");
    RETURN_IF_ERROR(CheckSubscriberId(field, token.subscriber_ids[i]));
    if (!seen.insert(token.subscriber_ids[i]).second) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": is named twice"));
    }
  }
  if (token.expires_ms != 0 && token.expires_ms <= now) {
    return absl::InvalidArgumentError("expire_time: is over, give a later one or none");
  }
  return absl::OkStatus();
}

}  // namespace hookd
