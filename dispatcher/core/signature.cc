#include "dispatcher/core/signature.h"

#include <array>
#include <memory>

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
constexpr size_t kGeneratedKeyBytes = 32;
constexpr size_t kSha256Bytes = 32;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string_view StripPadding(std::string_view base64) {
  while (base64.ends_with('=')) base64.remove_suffix(1);
  return base64;
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

absl::StatusOr<std::string> ParseSecret(std::string_view text) {
  std::string_view base64 = text;
  if (base64.starts_with(kPrefix)) base64.remove_prefix(kPrefix.size());
  std::string key;
  // Abseil's decoder is lenient (white space, stray bits); the way back shows whether the text was strict.
  bool valid = absl::Base64Unescape({base64.data(), base64.size()}, &key);
  if (valid) {
    const std::string canonical = absl::Base64Escape(key);
    valid = base64 == canonical || base64 == StripPadding(canonical);
  }
  if (!valid) {
    return absl::InvalidArgumentError("signing_secret: is not \"whsec_\" and standard base64");
  }
  if (key.size() < kMinKeyBytes || key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(Concat("signing_secret: holds a key of ", key.size(), " bytes, use ",
                                             kMinKeyBytes, " to ", kMaxKeyBytes));
  }
  return key;
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

std::string SignV1(const std::vector<std::string>& keys, std::string_view id, int64_t unix_seconds,
                   std::string_view body) {
  HOOKD_CHECK(!keys.empty(), "an endpoint has at least one signing key");
  thread_local Hmac hmac;
  const std::string head = Concat(id, ".", unix_seconds, ".");
  std::string signatures;
  for (const std::string& key : keys) {
    hmac.Start(key);
    hmac.Add(head);
    hmac.Add(body);
    const std::array<char, kSha256Bytes> mac = hmac.Finish();
    signatures += Concat(signatures.empty() ? "v1," : " v1,", absl::Base64Escape({mac.data(), mac.size()}));
  }
  return signatures;
}

}  // namespace hookd
