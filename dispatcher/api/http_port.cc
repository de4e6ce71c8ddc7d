#include "dispatcher/api/http_port.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>

#include "base/status_macros.h"
#include "dispatcher/api/bin_exchange.h"
#include "dispatcher/api/connect_protocol.h"
#include "dispatcher/api/gateway_exchange.h"
#include "dispatcher/api/port_stream.h"
#include "dispatcher/api/rest_exchange.h"

namespace hookd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// For a client to stop sending what is not read, so that it gets its answer; then it is cut.
constexpr std::chrono::seconds kLingerTimeout{2};
// Before accepting again when accepting failed (no descriptors).
constexpr std::chrono::milliseconds kAcceptPause{100};

using Response = PortStream::Response;

// HEAD's as GET's; its body is left out as it is written.
Response MakeResponse(const http::request_header<>& request, const HttpPortOptions& options) {
  Response response(http::status::ok, 11);
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  const auto raw = request.target();
  std::string_view path(raw.data(), raw.size());
  path = path.substr(0, path.find('?'));
  const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz";
  if (!known) {
    response.result(http::status::not_found);
    response.body() =
        "not found: there are /metrics, /healthz, /readyz and the procedures, such as "
        "/hookd.v1.OperationsService/GetStatus\n";
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
    response.body() = "use GET or HEAD\n";
  } else if (path == "/metrics") {
    response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
    response.body() = options.metrics();
  } else if (path == "/healthz") {
    response.body() = "ok\n";
  } else if (const absl::Status ready = options.ready(); ready.ok()) {
    response.body() = "ready\n";
  } else {
    response.result(http::status::service_unavailable);
    response.body() = absl::StrCat(ready.message(), "\n");
  }
  response.set(http::field::cache_control, "no-store");
  return response;
}

// One connection. Lives in its own handlers; `on_end` runs when it is destroyed.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::shared_ptr<TlsContext> tls, const HttpPortOptions& options,
          std::function<void()> on_end)
      : stream_(std::move(socket), std::move(tls)), options_(options), on_end_(std::move(on_end)) {}
  ~Session() { on_end_(); }

  void Start() {
    if (!stream_.has_tls()) return Read();
    stream_.expires_after(options_.request_timeout);
    stream_.Handshake([self = shared_from_this()](error_code error) {
      if (!error) self->Read();
    });
  }

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMaxHttpHeaderBytes);
    parser_->body_limit(boost::none);  // who reads it bounds it
    stream_.expires_after(options_.request_timeout);
    stream_.ReadHeader(buffer_, *parser_,
                       [self = shared_from_this()](error_code error) { self->OnRead(error); });
  }

 private:
  void OnRead(error_code error) {
    if (error == http::error::header_limit) {
      Response response(http::status::request_header_fields_too_large, 11);
      response.body() =
          absl::StrCat("request headers are larger than ", kMaxHttpHeaderBytes / 1024, " KiB\n");
      Write(std::move(response), false);
      return;
    }
    if (error) return;  // gone, too slow, or not HTTP
    const http::request_header<>& request = parser_->get().base();
    if (options_.gateway != nullptr &&
        request.target().starts_with({kProcedurePrefix.data(), kProcedurePrefix.size()})) {
      return Call();
    }
    if (options_.bins != nullptr && request.target().starts_with(kBinPrefix)) return ReceiveForBin();
    const std::string_view target(request.target().data(), request.target().size());
    if (options_.rest != nullptr && ProviderRest::Takes(target)) return AnswerCustomer();
    // A body is never read: the connection ends instead.
    const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
    const bool keep = parser_->keep_alive() && !has_body;
    Write(MakeResponse(request, options_), keep, request.method() == http::verb::head);
  }

  void Call() {
    std::make_shared<GatewayExchange>(stream_, buffer_, *options_.gateway, options_.answer_timeout,
                                      [self = shared_from_this()](GatewayExchange::Connection connection) {
                                        if (connection == GatewayExchange::Connection::kKept) self->Read();
                                        if (connection == GatewayExchange::Connection::kUnread) self->Close();
                                      })
        ->Start(std::move(*parser_));
  }

  void ReceiveForBin() {
    auto exchange =
        std::make_shared<BinExchange>(stream_, buffer_, *options_.bins, options_.request_timeout,
                                      [self = shared_from_this()](BinExchange::Answer answer) {
                                        Response response(static_cast<http::status>(answer.status), 11);
                                        response.body() = std::move(answer.text);
                                        self->Write(std::move(response), false, answer.head);
                                      });
    exchange->Start(std::move(*parser_));
  }

  void AnswerCustomer() {
    auto exchange =
        std::make_shared<RestExchange>(stream_, buffer_, *options_.rest, options_.request_timeout,
                                       [self = shared_from_this()](RestAnswer answer) {
                                         Response response(static_cast<http::status>(answer.status), 11);
                                         response.set(http::field::content_type, "application/json");
                                         response.set(http::field::cache_control, "no-store");
                                         response.body() = std::move(answer.body);
                                         self->stream_.expires_after(self->options_.answer_timeout);
                                         self->Write(std::move(response), false);
                                       });
    exchange->Start(std::move(*parser_));
  }

  void Write(Response response, bool keep, bool head = false) {
    response.keep_alive(keep);
    response.prepare_payload();  // says how long the body is
    if (head) response.body().clear();
    response_ = std::move(response);
    stream_.Write(response_, [self = shared_from_this(), keep](error_code error) {
      if (error) return;
      if (keep) return self->Read();
      self->Close();
    });
  }

  // What the client still sends is read and dropped for a while: a close would reset the connection, and the
  // answer could be lost.
  void Close() {
    stream_.expires_after(kLingerTimeout);
    if (!stream_.has_tls()) return CloseTcp();
    stream_.CloseTls([self = shared_from_this()](error_code) { self->CloseTcp(); });
  }

  void CloseTcp() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLingerTimeout);
    Drop();
  }

  void Drop() {
    buffer_.clear();
    stream_.ReadRaw(buffer_.prepare(kMaxHttpHeaderBytes), [self = shared_from_this()](error_code error) {
      if (!error) self->Drop();
    });
  }

  PortStream stream_;
  const HttpPortOptions& options_;
  const std::function<void()> on_end_;
  beast::flat_buffer buffer_{kMaxHttpHeaderBytes + 1024};
  std::optional<PortStream::HeaderParser> parser_;
  Response response_;
};

}  // namespace

class HttpPort::Impl {
 public:
  explicit Impl(HttpPortOptions options) : options_(std::move(options)) {}
  ~Impl() {
    if (!thread_.joinable()) return;
    io_.stop();
    thread_.join();
    if (options_.gateway != nullptr)
      options_.gateway->Close();  // nothing starts any more, nor is told after it
    stopped_ = true;
  }

  absl::Status Start() {
    if (options_.tls.on()) {
      ASSIGN_OR_RETURN(tls_, WatchedTls::Make(options_.tls, "http.tls"));
    }
    const size_t colon = options_.listen.rfind(':');
    std::string host = options_.listen.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    uint32_t port = 0;
    error_code error;
    const asio::ip::address address = asio::ip::make_address(host, error);
    if (colon == std::string::npos || error || !absl::SimpleAtoi(options_.listen.substr(colon + 1), &port) ||
        port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat("http.listen: ", options_.listen, " is not IP:port, use 127.0.0.1:7071"));
    }
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kMaxHttpConnections, error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("http.listen: cannot listen on ", options_.listen, ": ", error.message()));
    }
    address_ = absl::StrCat(options_.listen.substr(0, colon), ":", acceptor_.local_endpoint().port());
    Accept();
    if (tls_ != nullptr) WatchFiles();
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  const std::string& address() const { return address_; }

 private:
  // One accept at a time, and none while all connections are taken.
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) {
        pause_.expires_after(kAcceptPause);
        pause_.async_wait([this](error_code stopped) {
          if (!stopped) Accept();
        });
        return;
      }
      ++connections_;
      std::make_shared<Session>(std::move(socket), tls_ == nullptr ? nullptr : tls_->context(), options_,
                                [this] {
                                  if (connections_-- == kMaxHttpConnections && !stopped_) Accept();
                                })
          ->Start();
      if (connections_ < kMaxHttpConnections) Accept();
    });
  }

  void WatchFiles() {
    check_.expires_after(options_.certificate_check);
    check_.async_wait([this](error_code stopped) {
      if (stopped) return;
      const absl::StatusOr<bool> changed = tls_->Refresh();
      if (options_.tls_changed != nullptr && (!changed.ok() || *changed))
        options_.tls_changed(changed.status());
      WatchFiles();
    });
  }

  const HttpPortOptions options_;
  std::string address_;
  std::unique_ptr<WatchedTls> tls_;  // null = none
  // The port's thread; then, as the context destroys the sessions left in it, the destroying one.
  size_t connections_ = 0;
  bool stopped_ = false;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  asio::steady_timer check_{io_};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpPort>> HttpPort::Start(HttpPortOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (absl::Status started = impl->Start(); !started.ok()) return started;
  return std::unique_ptr<HttpPort>(new HttpPort(std::move(impl)));
}

HttpPort::HttpPort(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpPort::~HttpPort() = default;

const std::string& HttpPort::address() const { return impl_->address(); }

}  // namespace hookd
