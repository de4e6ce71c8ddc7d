// What an exchange tells libcurl beside the request itself: constants, TLS, and the way out of this machine.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <netinet/in.h>

#include "dispatcher/transport/exchange.h"

namespace hookd {
namespace {

// Below the 60 s after which receivers commonly close an idle connection: each such race is a request sent
// twice.
constexpr long kMaxIdleSeconds = 55;
constexpr long kMaxConnectionSeconds = 300;

// Of the kernel's memory for each connection, which it doubles: an answer beyond is cut anyway.
constexpr int kReceiveBytes = 64 * 1024;

std::optional<Ip> IpOf(const sockaddr& address) {
  Ip ip;
  if (address.sa_family == AF_INET) {
    std::memcpy(ip.bytes.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  } else if (address.sa_family == AF_INET6) {
    ip.v6 = true;
    std::memcpy(ip.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
  } else {
    return std::nullopt;
  }
  return ip;
}

// The port is chosen as the connection is made, so that one source serves as many as there are targets.
bool BindTo(int fd, const Ip& source) {
  const int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
  sockaddr_storage address{};
  socklen_t size = 0;
  if (source.v6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, source.bytes.data(), 16);
    size = sizeof(v6);
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, source.bytes.data(), 4);
    size = sizeof(v4);
  }
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

// Read where it lies, until the option is set anew; empty = none.
void SetBlob(CURL* easy, CURLoption option, const std::string& text) {
  curl_blob blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy, option, text.empty() ? nullptr : &blob);
}

}  // namespace

// What no request changes is set once; Prepare sets all the rest anew each time, so nothing needs a reset.
void Exchange::SetConstantOptions() {
  CURL* e = easy_.get();
  curl_easy_setopt(e, CURLOPT_PRIVATE, this);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, message_.data());
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_POST, 1L);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_PROXY, "");  // or the environment's *_proxy would count
  curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);
  curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, kMaxConnectionSeconds);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  const bool verify = !settings_.insecure_skip_tls_verification;
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, &Exchange::OnTlsContext);
  curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(e, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // With a CAPATH the CA store is read anew for each connection: 21 ms of CPU instead of 0.8.
  curl_easy_setopt(e, CURLOPT_CAPATH, nullptr);
  if (!settings_.ca_file.empty()) curl_easy_setopt(e, CURLOPT_CAINFO, settings_.ca_file.c_str());
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, &Exchange::OnRequest);
  curl_easy_setopt(e, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, &Exchange::OnOpenSocket);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, this);
}

void Exchange::SetMethod() {
  CURL* e = easy_.get();
  method_ = request_.method;
  curl_easy_setopt(e, method_ == HttpMethod::kPost ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method_ == HttpMethod::kOptions ? "OPTIONS" : nullptr);
}

void Exchange::SetFresh(bool fresh) {
  if (fresh == fresh_) return;
  fresh_ = fresh;
  CURL* e = easy_.get();
  curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, fresh_ ? 1L : 0L);
  curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, fresh_ ? 0L : 1L);  // a resumed session has no certificate
}

// libcurl 7.88.1 takes some of these for equal that are not when it looks for a connection to use again
// (CVE-2026-8932), hence never without SetFresh(true).
void Exchange::SetTls(std::shared_ptr<const TlsSettings> tls) {
  if (tls == tls_) return;
  tls_ = std::move(tls);
  static const TlsSettings kNone;
  const TlsSettings& now = tls_ == nullptr ? kNone : *tls_;
  const std::string pins = absl::StrJoin(now.pinned_keys, ";");
  CURL* e = easy_.get();
  SetBlob(e, CURLOPT_CAINFO_BLOB, now.ca_pem);
  SetBlob(e, CURLOPT_SSLCERT_BLOB, now.client_certificate_pem);
  SetBlob(e, CURLOPT_SSLKEY_BLOB, now.client_key_pem);
  curl_easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, pins.empty() ? nullptr : pins.c_str());
}

void Exchange::SetProxied(bool proxied) {
  if (proxied == proxied_) return;
  proxied_ = proxied;
  const EgressPath& path = settings_.path;
  const std::string proxy =
      proxied ? absl::StrCat("http://", AddressAndPort(ToString(*path.proxy), path.proxy_port)) : "";
  CURL* e = easy_.get();
  curl_easy_setopt(e, CURLOPT_PROXY, proxy.c_str());
  curl_easy_setopt(e, CURLOPT_NOPROXY, proxied ? "" : "*");
  curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, proxied ? 1L : 0L);
}

CURLcode Exchange::OnTlsContext(CURL* /*easy*/, void* ssl_context, void* exchange) {
  WatchCertificate(ssl_context, static_cast<Exchange*>(exchange)->seen_);
  return CURLE_OK;
}

bool Exchange::MayOpen(const Ip& ip) {
  if (request_.to_self) return true;
  return proxied_ ? ip == settings_.path.proxy : may_connect_(ip);
}

// The last word before a connection: whatever libcurl made of the URL, this is where it goes.
curl_socket_t Exchange::OnOpenSocket(void* exchange, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto& self = *static_cast<Exchange*>(exchange);
  const std::optional<Ip> ip = IpOf(address->addr);
  self.refused_ = !ip || !self.MayOpen(*ip);
  if (self.refused_) return CURL_SOCKET_BAD;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  self.opened_ = fd >= 0;
  self.socket_errno_ = fd < 0 ? errno : 0;
  if (fd < 0) return CURL_SOCKET_BAD;
  const EgressPath& path = self.settings_.path;
  const std::optional<Ip>& source = ip->v6 ? path.source_v6 : path.source_v4;
  if (source && !self.request_.to_self && !BindTo(fd, *source)) {
    self.socket_errno_ = errno;
    self.opened_ = false;
    close(fd);
    return CURL_SOCKET_BAD;
  }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(kReceiveBytes));
  self.on_opened_(fd);
  return fd;
}

}  // namespace hookd
