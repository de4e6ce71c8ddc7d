#include "dispatcher/transport/peer_certificate.h"

#include <ctime>
#include <string>
#include <string_view>

#include <absl/strings/ascii.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace hookd {
namespace {

std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kMaxCertificateText));
  for (char& c : out) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return out;
}

// "CN=example.com, O=Example"; the bytes are the receiver's.
std::string NameText(const X509_NAME* name) {
  BIO* out = BIO_new(BIO_s_mem());
  if (out == nullptr || name == nullptr) return "";
  X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB & ~XN_FLAG_SPC_EQ);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string text = Printable({data, static_cast<size_t>(size)});
  BIO_free(out);
  return text;
}

std::string TextOf(const ASN1_STRING* text) {
  return Printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<size_t>(ASN1_STRING_length(text))});
}

std::string AddressOf(const ASN1_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return "";
  return inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof(text)) == nullptr ? "" : text;
}

void AddNames(const X509* leaf, PeerCertificate& certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    if (certificate.names.size() == kMaxCertificateNames) break;
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (name->type == GEN_DNS) text = TextOf(name->d.dNSName);
    if (name->type == GEN_IPADD) text = AddressOf(name->d.iPAddress);
    if (!text.empty()) certificate.names.push_back(std::move(text));
  }
  GENERAL_NAMES_free(names);
}

WallMs TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? WallMs{timegm(&parts)} * 1000 : 0;
}

TlsFault FaultOf(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return TlsFault::kExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsFault::kNotYetValid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return TlsFault::kName;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_UNTRUSTED:
      return TlsFault::kIssuer;
    default:
      return TlsFault::kOther;
  }
}

int SeenIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// For each certificate of the chain, and for each fault; OpenSSL's verdict stands.
int OnVerify(int ok, X509_STORE_CTX* store) {
  const auto* ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* seen = static_cast<SeenCertificate*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), SeenIndex()));
  if (seen == nullptr) return ok;
  const X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (leaf != nullptr) seen->ends_ms = TimeOf(X509_get0_notAfter(leaf));
  if (leaf != nullptr && seen->whole && seen->certificate == nullptr) {
    auto certificate = std::make_shared<PeerCertificate>();
    certificate->subject = NameText(X509_get_subject_name(leaf));
    certificate->issuer = NameText(X509_get_issuer_name(leaf));
    certificate->not_before_ms = TimeOf(X509_get0_notBefore(leaf));
    certificate->not_after_ms = TimeOf(X509_get0_notAfter(leaf));
    AddNames(leaf, *certificate);
    seen->certificate = std::move(certificate);
  }
  if (ok == 0 && seen->certificate != nullptr && seen->certificate->fault == TlsFault::kNone) {
    seen->certificate->fault = FaultOf(X509_STORE_CTX_get_error(store));
  }
  return ok;
}

}  // namespace

void WatchCertificate(void* ssl_context, SeenCertificate& seen) {
  auto* context = static_cast<SSL_CTX*>(ssl_context);
  seen.certificate.reset();
  seen.ends_ms = 0;
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_ex_data(context, SeenIndex(), &seen);
  SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), &OnVerify);
}

}  // namespace hookd
