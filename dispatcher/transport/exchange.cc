#include "dispatcher/transport/exchange.h"

#include <algorithm>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "dispatcher/transport/curl_transport.h"

namespace hookd {
namespace {

constexpr size_t kMaxRetryAfterBytes = 64;  // a longer value is ignored; an HTTP-date has 29

long CeilMs(Duration duration) {
  return std::max<long>(1, static_cast<long>(std::chrono::ceil<Millis>(duration).count()));
}

bool IsBlankLine(std::string_view line) { return line == "\r\n" || line == "\n"; }

int64_t Us(SteadyTime from, SteadyTime to) {
  if (from == SteadyTime{} || to == SteadyTime{}) return 0;
  return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

// Of a header line with that name, in lower case and with its colon.
std::optional<absl::string_view> ValueOf(absl::string_view name, std::string_view line) {
  if (line.size() <= name.size() || (line[0] | 0x20) != name[0]) return std::nullopt;
  if (!absl::EqualsIgnoreCase(absl::string_view(line.data(), name.size()), name)) return std::nullopt;
  return absl::StripAsciiWhitespace(absl::string_view(line.data(), line.size()).substr(name.size()));
}

}  // namespace

Exchange::Exchange(const Clock& clock, const ExchangeSettings& settings, OnVerdict on_verdict,
                   MayConnect may_connect, OnOpened on_opened)
    : clock_(clock),
      settings_(settings),
      on_verdict_(std::move(on_verdict)),
      may_connect_(std::move(may_connect)),
      on_opened_(std::move(on_opened)) {
  Renew();
}

void Exchange::Renew() {
  easy_.reset(curl_easy_init());
  HOOKD_CHECK(easy_ != nullptr, "out of memory, or InitCurl was not called");
  method_ = HttpMethod::kPost;
  fresh_ = proxied_ = false;
  tls_ = nullptr;
  SetConstantOptions();
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
  SetFresh(request_.fresh || request_.tls != nullptr);
  SetTls(request_.tls);
  SetProxied(settings_.path.proxy && !request_.to_self);
  seen_.whole = request_.fresh;
  CURL* e = easy_.get();
  const long version = CurlHttpVersion();
  // 7.88.1 fails each request that it sends over a kept connection with prior knowledge.
  const long forbid_reuse = version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE || fresh_ ? 1 : 0;
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

// Comes for kept connections too. The address that the transport chose for this transfer has just been
// checked.
int Exchange::OnRequest(void* exchange, char* remote, char* /*local*/, int /*remote_port*/,
                        int /*local_port*/) {
  auto& self = *static_cast<Exchange*>(exchange);
  if (self.address_ != remote) {
    const std::optional<Ip> ip = ParseIp(remote);
    self.refused_ = !ip || !self.MayOpen(*ip);
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
    self.SeeTransferEncoding({data, bytes});
    self.KeepHeader({data, bytes});
    return bytes;
  }
  self.EndHeaderBlock();
  return self.header_error_ || self.coded_ ? 0 : bytes;
}

void Exchange::SeeRetryAfter(std::string_view line) {
  if (!retry_after_.empty()) return;
  const std::optional<absl::string_view> value = ValueOf("retry-after:", line);
  if (value && value->size() <= kMaxRetryAfterBytes) retry_after_.assign(value->data(), value->size());
}

// libcurl undoes such codings although nobody asks for them. The verdict stands, and the body is not read.
void Exchange::SeeTransferEncoding(std::string_view line) {
  const std::optional<absl::string_view> value = ValueOf("transfer-encoding:", line);
  coded_ |=
      value && !absl::EqualsIgnoreCase(*value, "chunked") && !absl::EqualsIgnoreCase(*value, "identity");
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
    coded_ = false;
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
  if (verdict_ || sends_ > 0) return false;
  if (code == CURLE_OPERATION_TIMEDOUT) return true;
  return proxied_ ? Info(CURLINFO_HTTP_CONNECTCODE) >= 500 : code == CURLE_COULDNT_CONNECT;
}

// Of a transfer that failed before the proxy had a connection to the receiver.
std::optional<TransferError> Exchange::ProxyError(CURLcode code) const {
  if (!proxied_ || sends_ > 0) return std::nullopt;
  const long status = Info(CURLINFO_HTTP_CONNECTCODE);
  if (status >= 200 && status < 300) return std::nullopt;
  if (status >= 500) {
    return TransferError{ErrorKind::kConnect,
                         absl::StrCat("the egress proxy could not connect (status ", status, ")")};
  }
  if (status != 0) {
    return TransferError{ErrorKind::kLocal, absl::StrCat("the egress proxy refused (status ", status, ")")};
  }
  if (Reached() == Progress::kNothing) {
    return TransferError{ErrorKind::kLocal, "the egress proxy cannot be reached"};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return TransferError{ErrorKind::kTimeout, "no connection through the egress proxy within the timeout"};
  }
  return TransferError{ErrorKind::kLocal, "the egress proxy does not answer as one"};
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
  result.certificate_ends_ms = seen_.ends_ms;
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
  if (std::optional<TransferError> proxy = ProxyError(code)) return Failed(*std::move(proxy));
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
  refused_any = false;
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
  coded_ = false;
  seen_ = {};
  Renew();  // before what the old handle points to goes
  headers_.Clear();
  connect_to_.Clear();
  request_ = HttpRequest{};
  return std::exchange(done_, nullptr);
}

}  // namespace hookd
