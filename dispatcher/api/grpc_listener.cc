#include "dispatcher/api/grpc_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <netinet/tcp.h>

namespace hookd {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// After an accept that failed: how long until the next one.
constexpr std::chrono::milliseconds kAcceptPause{100};
// As gRPC sets it where it listens itself: what was sent and is not acknowledged for so long ends a
// connection.
constexpr int kUserTimeoutMs = 10'000;

// gRPC's own, with what it expects of them.
void Prepare(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs, sizeof(kUserTimeoutMs));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

class GrpcListener::Impl {
 public:
  ~Impl() { Close(); }

  void Close() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    error_code ignored;
    acceptor_.close(ignored);
  }

  absl::Status Listen(const std::string& listen) {
    const auto refused = [&](const std::string& why) {
      return absl::UnavailableError(absl::StrCat("grpc.listen: cannot listen on ", listen, ": ", why));
    };
    const size_t colon = listen.rfind(':');
    std::string host = listen.substr(0, colon);
    uint32_t port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port > 65'535) {
      return refused("is not IP:port");
    }
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    error_code error;
    const asio::ip::address address = asio::ip::make_address(host, error);
    if (error) return refused("is not IP:port");
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kGrpcBacklog, error);
    if (error) return refused(absl::StrCat(error.message(), ", is another process using it?"));
    address_ = absl::StrCat(listen.substr(0, colon), ":", acceptor_.local_endpoint().port());
    return absl::OkStatus();
  }

  void Start(grpc::experimental::ExternalConnectionAcceptor& to) {
    to_ = &to;
    Accept();
    thread_ = std::thread([this] { io_.run(); });
  }

  const std::string& address() const { return address_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) {
        pause_.expires_after(kAcceptPause);
        pause_.async_wait([this](error_code stopped) {
          if (!stopped) Accept();
        });
        return;
      }
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = acceptor_.native_handle();
      connection.fd = socket.release(error);
      if (!error) {
        Prepare(connection.fd);
        to_->HandleNewConnection(&connection);
      }
      Accept();
    });
  }

  grpc::experimental::ExternalConnectionAcceptor* to_ = nullptr;
  std::string address_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::Listen(const std::string& listen) {
  auto impl = std::make_unique<Impl>();
  if (absl::Status listening = impl->Listen(listen); !listening.ok()) return listening;
  return std::unique_ptr<GrpcListener>(new GrpcListener(std::move(impl)));
}

GrpcListener::GrpcListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcListener::~GrpcListener() = default;

const std::string& GrpcListener::address() const { return impl_->address(); }
void GrpcListener::Close() { impl_->Close(); }
void GrpcListener::Start(grpc::experimental::ExternalConnectionAcceptor& acceptor) { impl_->Start(acceptor); }

}  // namespace hookd
