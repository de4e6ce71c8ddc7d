#include "dispatcher/core/signature.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/check.h"
#include "base/concat.h"

namespace hookd {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::string_view kPrivatePrefix = "whsk_";
constexpr std::string_view kPublicPrefix = "whpk_";
constexpr size_t kFingerprintBytes = 8;
constexpr size_t kGeneratedKeyBytes = 32;
constexpr size_t kSha256Bytes = 32;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view StripPadding(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  return base64;
}

// Abseil's decoder is lenient (white space, stray bits); the way back shows whether the text was strict.
std::optional<std::string> Decoded(std::string_view base64) {
  std::string bytes;
  if (!absl::Base64Unescape({base64.data(), base64.size()}, &bytes)) return std::nullopt;
  const std::string canonical = absl::Base64Escape(bytes);
  if (base64 != canonical && base64 != StripPadding(canonical)) return std::nullopt;
  return bytes;
}

using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

PrivateKey Ed25519(std::string_view seed) {
  HOOKD_CHECK(seed.size() == kEd25519Bytes, "a seed of Ed25519 has 32 bytes");
  PrivateKey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()),
                 &EVP_PKEY_free);
  HOOKD_CHECK(key != nullptr, "OpenSSL has no Ed25519");
  return key;
}

// One HMAC-SHA256 context, used for one message after another. Fetching the algorithm costs more than signing
// a small body, so each thread keeps one.
class Hmac {
 public:
  Hmac() {
    std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                          &EVP_MAC_free);
    HOOKD_CHECK(mac != nullptr, "OpenSSL has no HMAC");
    context_.reset(EVP_MAC_CTX_new(mac.get()));
    HOOKD_CHECK(context_ != nullptr, "out of memory");
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    HOOKD_CHECK(EVP_MAC_CTX_set_params(context_.get(), params) == 1, "OpenSSL has no SHA256");
  }

  void Start(std::string_view key) {
    HOOKD_CHECK(!key.empty(), "a signing key is empty");
    HOOKD_CHECK(EVP_MAC_init(context_.get(), Bytes(key), key.size(), nullptr) == 1, "EVP_MAC_init failed");
  }

  void Add(std::string_view text) {
    HOOKD_CHECK(EVP_MAC_update(context_.get(), Bytes(text), text.size()) == 1, "EVP_MAC_update failed");
  }

  std::array<char, kSha256Bytes> Finish() {
    std::array<char, kSha256Bytes> mac;
    size_t size = 0;
    HOOKD_CHECK(
        EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(mac.data()), &size, mac.size()) == 1 &&
            size == mac.size(),
        "EVP_MAC_final failed");
    return mac;
  }

 private:
  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_{nullptr, &EVP_MAC_CTX_free};
};

}  // namespace

absl::StatusOr<std::string> ParseSecret(std::string_view text, std::string_view field) {
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  std::optional<std::string> key = Decoded(text);
  if (!key) {
    return absl::InvalidArgumentError(Concat(field, ": is not \"whsec_\" and standard base64"));
  }
  if (key->size() < kMinKeyBytes || key->size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        Concat(field, ": holds a key of ", key->size(), " bytes, use ", kMinKeyBytes, " to ", kMaxKeyBytes));
  }
  return *std::move(key);
}

std::string FormatSecret(std::string_view key) {
  return Concat(kPrefix, absl::Base64Escape({key.data(), key.size()}));
}

std::string GenerateKey() {
  std::string key(kGeneratedKeyBytes, '\0');
  HOOKD_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) == 1,
              "no randomness");
  return key;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  Hmac hmac;
  hmac.Start(key);
  hmac.Add(text);
  const std::array<char, kSha256Bytes> mac = hmac.Finish();
  return {mac.data(), mac.size()};
}

std::string SignV1(std::string_view key, std::string_view id, int64_t unix_seconds, std::string_view body) {
  thread_local Hmac hmac;
  hmac.Start(key);
  hmac.Add(Concat(id, ".", unix_seconds, "."));
  hmac.Add(body);
  const std::array<char, kSha256Bytes> mac = hmac.Finish();
  return Concat("v1,", absl::Base64Escape({mac.data(), mac.size()}));
}

absl::StatusOr<std::string> ParsePrivateKey(std::string_view text, std::string_view field) {
  std::optional<std::string> bytes;
  if (text.starts_with(kPrivatePrefix)) bytes = Decoded(text.substr(kPrivatePrefix.size()));
  if (!bytes || bytes->size() != 2 * kEd25519Bytes) {
    return absl::InvalidArgumentError(Concat(
        field,
        ": is not \"whsk_\" and standard base64 of 64 bytes, a private key's seed and its public key"));
  }
  std::string seed = bytes->substr(0, kEd25519Bytes);
  if (PublicKeyOf(seed) != bytes->substr(kEd25519Bytes)) {
    return absl::InvalidArgumentError(Concat(field, ": its public key is not that of its private key"));
  }
  return seed;
}

std::string FormatPublicKey(std::string_view public_key) {
  return Concat(kPublicPrefix, absl::Base64Escape({public_key.data(), public_key.size()}));
}

std::string PublicKeyOf(std::string_view seed) {
  const PrivateKey key = Ed25519(seed);
  std::array<unsigned char, kEd25519Bytes> bytes;
  size_t size = bytes.size();
  HOOKD_CHECK(EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size) == 1 && size == bytes.size(),
              "a private key has a public one");
  return {bytes.begin(), bytes.end()};
}

std::string SignV1a(std::string_view seed, std::string_view id, int64_t unix_seconds, std::string_view body) {
  const PrivateKey key = Ed25519(seed);
  const std::string signed_text = Concat(id, ".", unix_seconds, ".", body);  // Ed25519 takes it as a whole
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::array<unsigned char, 2 * kEd25519Bytes> signature;
  size_t size = signature.size();
  HOOKD_CHECK(
      context != nullptr && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
          EVP_DigestSign(context.get(), signature.data(), &size, Bytes(signed_text), signed_text.size()) ==
              1 &&
          size == signature.size(),
      "Ed25519 does not sign");
  return Concat("v1a,", absl::Base64Escape({reinterpret_cast<const char*>(signature.data()), size}));
}

std::string FingerprintOf(std::string_view text) {
  std::array<unsigned char, kSha256Bytes> digest;
  HOOKD_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
              "OpenSSL has no SHA256");
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), kFingerprintBytes});
}

}  // namespace hookd
