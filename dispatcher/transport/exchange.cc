#include "dispatcher/transport/exchange.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <netinet/in.h>

#include "base/check.h"
#include "dispatcher/transport/curl_transport.h"

namespace hookd {
namespace {

// Below the 60 s after which receivers commonly close an idle connection: each such race is a request sent
// twice.
constexpr long kMaxIdleSeconds = 55;
constexpr long kMaxConnectionSeconds = 300;
constexpr size_t kMaxRetryAfterBytes = 64;  // a longer value is ignored; an HTTP-date has 29

long CeilMs(Duration duration) {
  return std::max<long>(1, static_cast<long>(std::chrono::ceil<Millis>(duration).count()));
}

bool IsBlankLine(std::string_view line) { return line == "\r\n" || line == "\n"; }

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

int64_t Us(SteadyTime from, SteadyTime to) {
  if (from == SteadyTime{} || to == SteadyTime{}) return 0;
  return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

}  // namespace

Exchange::Exchange(const Clock& clock, const std::string& ca_file, OnVerdict on_verdict,
                   MayConnect may_connect, OnOpened on_opened)
    : clock_(clock),
      on_verdict_(std::move(on_verdict)),
      may_connect_(std::move(may_connect)),
      on_opened_(std::move(on_opened)),
      easy_(curl_easy_init()) {
  HOOKD_CHECK(easy_ != nullptr, "out of memory, or InitCurl was not called");
  SetConstantOptions(ca_file);
}

// What no request changes is set once; Prepare sets all the rest anew each time, so nothing needs a reset.
void Exchange::SetConstantOptions(const std::string& ca_file) {
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
  curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, kMaxIdleSeconds);
  curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, kMaxConnectionSeconds);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(e, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // With a CAPATH the CA store is read anew for each connection: 21 ms of CPU instead of 0.8.
  curl_easy_setopt(e, CURLOPT_CAPATH, nullptr);
  if (!ca_file.empty()) curl_easy_setopt(e, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, &Exchange::OnRequest);
  curl_easy_setopt(e, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, &Exchange::OnOpenSocket);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, this);
}

void Exchange::Begin(HttpRequest request, HttpTransport::Callback done) {
  request_ = std::move(request);
  done_ = std::move(done);
  started = clock_.Steady();
  deadline = started + request_.timeout;
}

void Exchange::SetHeaders() {
  headers_.Clear();
  bool has_content_type = false;
  for (const auto& [name, value] : request_.headers) {
    has_content_type |= absl::EqualsIgnoreCase(name, "content-type");
    // "Name:" would remove a header; "Name;" sends it empty.
    headers_.Add(name, value.empty() ? ";" : ": ", value);
  }
  if (!has_content_type) headers_.Add("Content-Type:");  // libcurl's own would be a form's
  headers_.Add("Expect:");
}

// With HTTP/2 by ALPN a receiver that has none is spoken to in HTTP/1.1; without TLS there is no such
// question.
long Exchange::CurlHttpVersion() const {
  if (request_.http_version != HttpVersion::kHttp2) return CURL_HTTP_VERSION_1_1;
  return target->https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

bool Exchange::Prepare(const std::string& address, Duration connect, Duration total) {
  address_ = address;
  opened_ = false;
  socket_errno_ = 0;
  refused_ = false;
  message_[0] = '\0';
  bool v6 = address.find(':') != std::string::npos;
  // Every host and port of the URL leads to this address: libcurl never resolves, and keeps connections by
  // address.
  connect_to_.Clear();
  connect_to_.Add(v6 ? "::[" : "::", address, v6 ? "]:" : ":");
  SetHeaders();
  if (request_.method != method_) SetMethod();
  if (request_.fresh != fresh_) SetFresh();
  CURL* e = easy_.get();
  const long version = CurlHttpVersion();
  // 7.88.1 fails each request that it sends over a kept connection with prior knowledge.
  const long forbid_reuse = version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE || request_.fresh ? 1 : 0;
  const bool post = request_.method == HttpMethod::kPost;
  const char* body = request_.body.empty() ? "" : request_.body.data();
  return curl_easy_setopt(e, CURLOPT_URL, request_.url.c_str()) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_CONNECT_TO, connect_to_.get()) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers_.get()) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_HTTP_VERSION, version) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_FORBID_REUSE, forbid_reuse) == CURLE_OK &&
         (!post || curl_easy_setopt(e, CURLOPT_POSTFIELDS, body) == CURLE_OK) &&
         (!post || curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                                    static_cast<curl_off_t>(request_.body.size())) == CURLE_OK) &&
         curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CeilMs(connect)) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, CeilMs(total)) == CURLE_OK;
}

void Exchange::SetMethod() {
  CURL* e = easy_.get();
  method_ = request_.method;
  curl_easy_setopt(e, method_ == HttpMethod::kPost ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method_ == HttpMethod::kOptions ? "OPTIONS" : nullptr);
}

void Exchange::SetFresh() {
  CURL* e = easy_.get();
  fresh_ = request_.fresh;
  curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, fresh_ ? 1L : 0L);
  curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, fresh_ ? 0L : 1L);  // a resumed session has no certificate
  curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, fresh_ ? &Exchange::OnTlsContext : nullptr);
  curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, this);
}

CURLcode Exchange::OnTlsContext(CURL* /*easy*/, void* ssl_context, void* exchange) {
  WatchCertificate(ssl_context, static_cast<Exchange*>(exchange)->seen_);
  return CURLE_OK;
}

// The last word before a connection: whatever libcurl made of the URL, this is where it goes.
curl_socket_t Exchange::OnOpenSocket(void* exchange, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto& self = *static_cast<Exchange*>(exchange);
  const std::optional<Ip> ip = IpOf(address->addr);
  self.refused_ = !ip || (!self.request_.to_self && !self.may_connect_(*ip));
  if (self.refused_) return CURL_SOCKET_BAD;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  self.opened_ = fd >= 0;
  self.socket_errno_ = fd < 0 ? errno : 0;
  if (fd < 0) return CURL_SOCKET_BAD;
  self.on_opened_(fd);
  return fd;
}

// Comes for kept connections too. The address that the transport chose for this transfer has just been
// checked.
int Exchange::OnRequest(void* exchange, char* remote, char* /*local*/, int /*remote_port*/,
                        int /*local_port*/) {
  auto& self = *static_cast<Exchange*>(exchange);
  if (self.address_ != remote) {
    const std::optional<Ip> ip = ParseIp(remote);
    self.refused_ = !ip || (!self.request_.to_self && !self.may_connect_(*ip));
    if (self.refused_) return CURL_PREREQFUNC_ABORT;
  }
  ++self.sends_;
  self.sent_at_ = self.clock_.Steady();
  return CURL_PREREQFUNC_OK;
}

size_t Exchange::OnHeader(char* data, size_t size, size_t count, void* exchange) {
  auto& self = *static_cast<Exchange*>(exchange);
  size_t bytes = size * count;
  if (self.first_byte_at_ == SteadyTime{}) self.first_byte_at_ = self.clock_.Steady();
  self.header_bytes_ += bytes;
  if (self.header_bytes_ > kMaxHeaderBytes) {
    if (!self.verdict_) {
      self.header_error_ = {ErrorKind::kResponseTooBig,
                            absl::StrCat("response headers over ", kMaxHeaderBytes, " bytes")};
    }
    return 0;
  }
  if (self.verdict_) return bytes;  // trailers come after the verdict
  if (!IsBlankLine({data, bytes})) {
    self.SeeRetryAfter({data, bytes});
    self.KeepHeader({data, bytes});
    return bytes;
  }
  self.EndHeaderBlock();
  return self.header_error_ ? 0 : bytes;
}

void Exchange::SeeRetryAfter(std::string_view line) {
  constexpr std::string_view kName = "retry-after:";
  if (line.size() <= kName.size() || (line[0] | 0x20) != 'r' || !retry_after_.empty()) return;
  if (!absl::EqualsIgnoreCase(absl::string_view(line.data(), kName.size()), kName.data())) return;
  const absl::string_view value =
      absl::StripAsciiWhitespace(absl::string_view(line.data() + kName.size(), line.size() - kName.size()));
  if (value.size() <= kMaxRetryAfterBytes) retry_after_.assign(value.data(), value.size());
}

// In memory that the next exchange uses again: most answers' headers are not asked for.
void Exchange::KeepHeader(std::string_view line) {
  header_lines_cut_ |= header_lines_.size() + line.size() > kKeptHeaderBytes;
  if (!header_lines_cut_) header_lines_.append(line);
}

void Exchange::EndHeaderBlock() {
  long status = Info(CURLINFO_RESPONSE_CODE);
  if (status >= 100 && status <= 199 && status != 101) {
    retry_after_.clear();
    header_lines_.clear();
    header_lines_cut_ = false;
    return;
  }
  if (status < 200 || status > 599) {
    header_error_ = {ErrorKind::kProtocol, absl::StrCat("status ", status, " is not a valid answer")};
    return;
  }
  verdict_ = true;
  status_ = static_cast<int>(status);
  on_verdict_(*this);
}

size_t Exchange::OnBody(char* data, size_t size, size_t count, void* exchange) {
  auto& self = *static_cast<Exchange*>(exchange);
  size_t bytes = size * count;
  size_t kept = std::min(bytes, kKeptBodyBytes - self.body_.size());
  self.body_.append(data, kept);
  self.body_bytes_ += bytes;
  return self.body_bytes_ > kDrainedBodyBytes ? 0 : bytes;  // 0 ends the transfer
}

bool Exchange::CouldNotConnect(CURLcode code) const {
  return !verdict_ && sends_ == 0 && (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT);
}

Progress Exchange::Reached() const {
  if (sends_ > 0) return Progress::kSent;
  // libcurl knows its own port once the connection stands.
  return opened_ && Info(CURLINFO_LOCAL_PORT) > 0 ? Progress::kConnected : Progress::kNothing;
}

ExchangePhase Exchange::Phase() const {
  if (addresses == nullptr) return ExchangePhase::kName;
  switch (Reached()) {
    case Progress::kNothing:
      return ExchangePhase::kConnect;
    case Progress::kConnected:
      return ExchangePhase::kTls;
    case Progress::kSent:
      break;
  }
  return ExchangePhase::kAnswer;
}

long Exchange::Info(CURLINFO info) const {
  long value = 0;
  curl_easy_getinfo(easy_.get(), info, &value);
  return value;
}

int64_t Exchange::InfoUs(CURLINFO info) const {
  curl_off_t value = 0;
  curl_easy_getinfo(easy_.get(), info, &value);
  return value;
}

void Exchange::AddTimes(HttpResult& result) const {
  result.us.name = target == nullptr || target->literal ? 0 : Us(started, resolved);
  result.us.total = Us(started, clock_.Steady());
  if (sends_ > 0) result.us.first_byte = Us(sent_at_, first_byte_at_);
  if (!opened_) return;  // libcurl's times are of connections made, and known only once TLS is up
  int64_t begun = InfoUs(CURLINFO_NAMELOOKUP_TIME_T);
  int64_t connected = InfoUs(CURLINFO_CONNECT_TIME_T);
  int64_t secured = InfoUs(CURLINFO_APPCONNECT_TIME_T);
  if (connected > 0) result.us.connect = std::max<int64_t>(1, connected - begun);
  if (secured > 0) result.us.tls = std::max<int64_t>(1, secured - connected);
}

HttpResult Exchange::Base() const {
  HttpResult result;
  AddTimes(result);
  if (Reached() != Progress::kNothing) result.remote_address = AddressAndPort(address_, target->port);
  if (sends_ > 0) result.resends = sends_ - 1;
  result.phase = Phase();
  result.certificate = seen_.certificate;
  return result;
}

HttpResult Exchange::Failed(TransferError error) const {
  if (verdict_) return Result(CURLE_ABORTED_BY_CALLBACK);
  HttpResult result = Base();
  result.error = error.kind;
  result.error_detail = std::move(error.detail);
  return result;
}

HttpResult Exchange::Result(CURLcode code) const {
  if (verdict_) {
    HttpResult result = Base();
    result.status = status_;
    result.retry_after = retry_after_;
    const std::optional<StatusRange>& unwanted = request_.headers_unwanted;
    if (!unwanted || status_ < unwanted->first || status_ > unwanted->last) result.headers = header_lines_;
    switch (Info(CURLINFO_HTTP_VERSION)) {
      case CURL_HTTP_VERSION_1_0:
        result.http_version = 10;
        break;
      case CURL_HTTP_VERSION_1_1:
        result.http_version = 11;
        break;
      case CURL_HTTP_VERSION_2_0:
        result.http_version = 20;
        break;
      default:
        break;
    }
    result.body = body_;
    result.body_truncated = code != CURLE_OK || body_bytes_ > body_.size();
    return result;
  }
  if (header_error_) return Failed(*header_error_);
  if (refused_) return Failed({ErrorKind::kRefusedAddress, "the address may not be connected to"});
  if (code == CURLE_OK) {  // libcurl takes an end of the connection for the end of the headers
    return Failed({ErrorKind::kProtocol, "connection closed before the response headers were complete"});
  }
  int os_errno = socket_errno_ != 0 ? socket_errno_ : static_cast<int>(Info(CURLINFO_OS_ERRNO));
  TransferError error = ExplainTransfer(code, os_errno, message_.data(), Reached());
  // A receiver that refused at one address is not excused by an address that we cannot reach.
  if (error.kind == ErrorKind::kLocal && connect_error) error = *connect_error;
  HttpResult result = Failed(std::move(error));
  if (code == CURLE_COULDNT_CONNECT) result.os_errno = os_errno;
  if (result.certificate != nullptr && code == CURLE_PEER_FAILED_VERIFICATION &&
      result.certificate->fault == TlsFault::kNone) {  // the chain is good: it is for another name
    auto certificate = std::make_shared<PeerCertificate>(*result.certificate);
    certificate->fault = TlsFault::kName;
    result.certificate = std::move(certificate);
  }
  return result;
}

HttpTransport::Callback Exchange::Release() {
  ++generation;
  started = deadline = resolved = drain_until = sent_at_ = first_byte_at_ = SteadyTime{};
  target.reset();
  addresses.reset();
  next_address = tries = 0;
  naming = added = draining = verdict_ = false;
  connect_error.reset();
  header_error_.reset();
  address_.clear();
  opened_ = refused_ = false;
  socket_errno_ = 0;
  sends_ = 0;
  header_bytes_ = body_bytes_ = 0;
  body_.clear();
  status_ = 0;
  retry_after_.clear();
  header_lines_.clear();
  header_lines_cut_ = false;
  seen_.certificate.reset();
  // libcurl must not keep pointers to what goes now.
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDS, nullptr);
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(easy_.get(), CURLOPT_CONNECT_TO, nullptr);
  headers_.Clear();
  connect_to_.Clear();
  request_ = HttpRequest{};
  return std::exchange(done_, nullptr);
}

}  // namespace hookd
