#include "dispatcher/transport/curl_errors.h"

#include <cerrno>
#include <system_error>

#include <absl/strings/ascii.h>

namespace hookd {
namespace {

// "Connection refused" -> "connection refused"; empty for 0.
std::string Words(int os_errno) {
  if (os_errno == 0) return "";
  std::string text = std::generic_category().message(os_errno);
  if (!text.empty()) text[0] = absl::ascii_tolower(static_cast<unsigned char>(text[0]));
  return text;
}

// The certificate's names come from the receiver, hence the care.
std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kMaxErrorDetail));
  for (char& c : out) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return out;
}

// libcurl's and OpenSSL's wording without their prefixes: "SSL certificate problem: certificate has expired"
// and "error:0A00010B:SSL routines::wrong version number".
std::string TlsWords(std::string_view message) {
  for (std::string_view prefix : {"SSL certificate problem: ", "SSL: "}) {
    if (message.starts_with(prefix)) return Printable(message.substr(prefix.size()));
  }
  std::string_view words = message;
  if (size_t colon = words.rfind("::"); colon != std::string_view::npos) words = words.substr(colon + 2);
  if (words.empty()) return "TLS handshake failed";
  return Printable("TLS handshake failed: " + std::string(words));
}

TransferError ConnectError(int os_errno) {
  std::string words = os_errno == 0 ? "could not connect" : Words(os_errno);
  return {IsLocalTrouble(os_errno) ? ErrorKind::kLocal : ErrorKind::kConnect, words};
}

TransferError TimeoutError(Progress progress) {
  switch (progress) {
    case Progress::kNothing:
      return {ErrorKind::kTimeout, "no connection within the timeout"};
    case Progress::kConnected:
      return {ErrorKind::kTimeout, "TLS handshake not finished within the timeout"};
    case Progress::kSent:
      break;
  }
  return {ErrorKind::kTimeout, "no complete response headers within the timeout"};
}

}  // namespace

bool IsLocalTrouble(int os_errno) {
  switch (os_errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:  // no free local port
    case ENETUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT:
    case EPERM:  // this machine's own packet filter
      return true;
    default:
      return false;
  }
}

TransferError ExplainTransfer(CURLcode code, int os_errno, std::string_view message, Progress progress) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return ConnectError(os_errno);
    case CURLE_OPERATION_TIMEDOUT:
      return TimeoutError(progress);

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
      return {ErrorKind::kTls, TlsWords(message)};

    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return {ErrorKind::kTls, "the receiver's public key is none of the endpoint's pinned ones"};
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorKind::kLocal, "the CA file (transport ca_file) cannot be read"};
    case CURLE_OUT_OF_MEMORY:
      // libcurl says so, too, of one header line over its own bound (100 KB).
      if (progress == Progress::kSent) {
        return {ErrorKind::kResponseTooBig, "a response header line is too long"};
      }
      return {ErrorKind::kLocal, "out of memory"};
    case CURLE_BAD_FUNCTION_ARGUMENT:
      // libcurl says so, too, of a header line that it cannot take apart.
      if (progress == Progress::kSent) return {ErrorKind::kProtocol, "the response is not valid HTTP"};
      return {ErrorKind::kLocal, Printable(curl_easy_strerror(code))};
    case CURLE_FAILED_INIT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_INTERFACE_FAILED:
      return {ErrorKind::kLocal, Printable(curl_easy_strerror(code))};

    case CURLE_GOT_NOTHING:
      return {ErrorKind::kProtocol, "connection closed without a response"};
    case CURLE_RECV_ERROR:
      return {ErrorKind::kProtocol, os_errno == 0 ? "receiving failed" : Words(os_errno)};
    case CURLE_SEND_ERROR:
      return {ErrorKind::kProtocol, os_errno == 0 ? "sending failed" : Words(os_errno)};
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9, that is: anything that does not begin like HTTP
    case CURLE_WEIRD_SERVER_REPLY:
      return {ErrorKind::kProtocol, "the response is not valid HTTP"};
    case CURLE_BAD_CONTENT_ENCODING:
      return {ErrorKind::kProtocol, "the response has an unknown transfer encoding"};
    default:
      return {ErrorKind::kProtocol, Printable(curl_easy_strerror(code))};
  }
}

}  // namespace hookd
