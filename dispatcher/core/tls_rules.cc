#include "dispatcher/core/tls_rules.h"

#include <memory>
#include <string>
#include <string_view>

#include <absl/strings/escaping.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr std::string_view kPinPrefix = "sha256//";
constexpr size_t kSha256Bytes = 32;

absl::Status Bad(std::string_view field, std::string_view why) {
  return absl::InvalidArgumentError(Concat("tls.", field, ": ", why));
}

Bio Reader(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

// A key with a passphrase is none that may be used.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::Status CheckSize(std::string_view field, const std::string& pem) {
  if (pem.size() <= kMaxTlsPemBytes) return absl::OkStatus();
  return Bad(field, Concat("is ", pem.size(), " bytes long, use at most ", kMaxTlsPemBytes));
}

// The first of them; all are read.
absl::StatusOr<Certificate> ReadCertificates(std::string_view field, const std::string& pem) {
  RETURN_IF_ERROR(CheckSize(field, pem));
  if (pem.find("PRIVATE KEY") != std::string::npos) {
    return Bad(field, "holds a private key: give certificates alone");
  }
  const Bio reader = Reader(pem);
  Certificate first(nullptr, &X509_free);
  while (Certificate next{PEM_read_bio_X509(reader.get(), nullptr, &NoPassphrase, nullptr), &X509_free}) {
    if (first == nullptr) first = std::move(next);
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (first == nullptr || !at_end) return Bad(field, "is not one or more certificates in PEM");
  return first;
}

absl::Status CheckPin(size_t index, std::string_view pin) {
  std::string hash;
  if (pin.starts_with(kPinPrefix)) {
    const std::string_view base64 = pin.substr(kPinPrefix.size());
    const bool read = absl::Base64Unescape({base64.data(), base64.size()}, &hash);
    if (read && hash.size() == kSha256Bytes && absl::Base64Escape(hash) == base64) return absl::OkStatus();
  }
  return Bad(Concat("pinned_keys[", index, "]"),
             "is not \"sha256//\" and the base64 of a SHA-256 (44 characters)");
}

absl::Status CheckClient(const TlsSettings& tls) {
  if (tls.client_certificate_pem.empty()) {
    if (tls.client_key_pem.empty()) return absl::OkStatus();
    return Bad("client_certificate_pem", "is empty, and there is a key: give both or neither");
  }
  ASSIGN_OR_RETURN(const Certificate certificate,
                   ReadCertificates("client_certificate_pem", tls.client_certificate_pem));
  if (tls.client_key_pem.empty()) return Bad("client_key_pem", "is empty: give the certificate's key");
  RETURN_IF_ERROR(CheckSize("client_key_pem", tls.client_key_pem));
  const Key key(PEM_read_bio_PrivateKey(Reader(tls.client_key_pem).get(), nullptr, &NoPassphrase, nullptr),
                &EVP_PKEY_free);
  const bool fits = key != nullptr && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) return Bad("client_key_pem", "is not a key in PEM without a passphrase");
  if (!fits) return Bad("client_key_pem", "does not belong to the certificate");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTls(const TlsSettings& tls) {
  if (!tls.ca_pem.empty()) RETURN_IF_ERROR(ReadCertificates("ca_pem", tls.ca_pem).status());
  if (tls.pinned_keys.size() > kMaxPinnedKeys) {
    return Bad("pinned_keys", Concat("there are ", tls.pinned_keys.size(), ", use at most ", kMaxPinnedKeys));
  }
  for (size_t i = 0; i < tls.pinned_keys.size(); ++i) RETURN_IF_ERROR(CheckPin(i, tls.pinned_keys[i]));
  return CheckClient(tls);
}

}  // namespace hookd
