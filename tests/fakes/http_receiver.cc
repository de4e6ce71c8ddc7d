#include "tests/fakes/http_receiver.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace hookd::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Error = boost::system::error_code;

constexpr uint64_t kMaxRequestBody = 64 * 1024 * 1024;

std::string ToWire(const ReceiverAnswer& answer) {
  if (answer.raw) return *answer.raw;
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " Test\r\n";
  for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
  bool has_body = answer.status != 204 && answer.status != 304;
  if (has_body) out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  if (answer.then != ReceiverAnswer::Then::kKeepAlive) out += "Connection: close\r\n";
  out += "\r\n";
  return has_body ? out + answer.body : out;
}

}  // namespace

std::string ReceivedRequest::Header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (boost::beast::iequals(key, name)) return value;
  }
  return "";
}

ReceiverAnswer ReceiverAnswer::Status(int status, std::string body) {
  ReceiverAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

ReceiverAnswer ReceiverAnswer::Raw(std::string bytes, Then then) {
  ReceiverAnswer answer;
  answer.raw = std::move(bytes);
  answer.then = then;
  return answer;
}

class HttpReceiver::Impl {
 public:
  Impl(Handler handler, const Options& options)
      : options_(options), handler_(std::move(handler)), acceptor_(io_) {
    tcp::endpoint endpoint(options.ipv6 ? asio::ip::address(asio::ip::address_v6::loopback())
                                        : asio::ip::address(asio::ip::address_v4::loopback()),
                           0);
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
    acceptor_.listen(1024);
    port_ = acceptor_.local_endpoint().port();
    Accept();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    io_.stop();
    thread_.join();
  }

  // Runs `task` on the receiver's thread and waits for it.
  void OnThread(std::function<void()> task) {
    std::promise<void> ran;
    asio::post(io_, [&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }

  void CloseAll() {
    auto open = sessions_;
    for (Session* session : open) session->Close();
  }

  const Options options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable arrived_;
  Handler handler_;                        // mutex_
  std::vector<ReceivedRequest> requests_;  // mutex_
  size_t request_count_ = 0;               // mutex_
  size_t connection_count_ = 0;            // mutex_
  size_t open_count_ = 0;                  // mutex_
  uint16_t port_ = 0;

  void StopListening() {
    Error ignored;
    acceptor_.close(ignored);
  }

 private:
  class Session : public std::enable_shared_from_this<Session> {
   public:
    Session(Impl& owner, tcp::socket socket, size_t number)
        : owner_(owner), socket_(std::move(socket)), delay_(owner.io_), number_(number) {
      Error ignored;
      socket_.set_option(tcp::no_delay(true), ignored);
      owner_.sessions_.insert(this);
      std::lock_guard lock(owner_.mutex_);
      ++owner_.open_count_;
    }

    ~Session() {
      owner_.sessions_.erase(this);
      std::lock_guard lock(owner_.mutex_);
      --owner_.open_count_;
    }

    void Read() {
      parser_.emplace();
      parser_->body_limit(kMaxRequestBody);
      http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](Error error, size_t) {
        if (!error) self->Answer();
      });
    }

    void Close() {
      Error ignored;
      delay_.cancel();
      socket_.close(ignored);
    }

   private:
    void Answer() {
      const auto& message = parser_->get();
      ReceivedRequest request;
      request.method = std::string(message.method_string());
      request.target = std::string(message.target());
      for (const auto& field : message) {
        request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
      }
      request.body = message.body();
      request.connection = number_;
      request.arrived = std::chrono::steady_clock::now();
      answer_ = owner_.Take(std::move(request));
      out_ = ToWire(answer_);
      if (answer_.delay.count() == 0) return Write();
      delay_.expires_after(answer_.delay);
      delay_.async_wait([self = shared_from_this()](Error error) {
        if (!error) self->Write();
      });
    }

    void Write() {
      asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](Error error, size_t) {
        if (error) return;
        if (self->answer_.endless.empty()) return self->Then();
        self->out_ = self->answer_.endless;
        self->Write();
      });
    }

    void Then() {
      Error ignored;
      switch (answer_.then) {
        case ReceiverAnswer::Then::kKeepAlive:
          return Read();
        case ReceiverAnswer::Then::kClose:
          socket_.shutdown(tcp::socket::shutdown_both, ignored);
          return Close();
        case ReceiverAnswer::Then::kReset:
          socket_.set_option(asio::socket_base::linger(true, 0), ignored);
          return Close();
        case ReceiverAnswer::Then::kHang:
          // Until the peer closes; what it sends meanwhile is dropped.
          return Drop();
      }
    }

    void Drop() {
      socket_.async_read_some(asio::buffer(dropped_), [self = shared_from_this()](Error error, size_t) {
        if (!error) self->Drop();
      });
    }

    Impl& owner_;
    tcp::socket socket_;
    asio::steady_timer delay_;
    const size_t number_;
    boost::beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    ReceiverAnswer answer_;
    std::string out_;
    std::array<char, 4096> dropped_;
  };

  void Accept() {
    acceptor_.async_accept([this](Error error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (!error) {
        size_t number = 0;
        {
          std::lock_guard lock(mutex_);
          number = ++connection_count_;
        }
        std::make_shared<Session>(*this, std::move(socket), number)->Read();
      }
      Accept();
    });
  }

  ReceiverAnswer Take(ReceivedRequest request) {
    Handler handler;
    {
      std::lock_guard lock(mutex_);
      request.number = ++request_count_;
      if (requests_.size() < options_.kept_requests) requests_.push_back(request);
      handler = handler_;
    }
    arrived_.notify_all();
    return handler ? handler(request) : ReceiverAnswer{};
  }

  std::set<Session*> sessions_;  // the receiver's thread
  asio::io_context io_{1};       // sessions die with it, so after it nothing of theirs may follow
  tcp::acceptor acceptor_;
  std::thread thread_;
};

HttpReceiver::HttpReceiver() : HttpReceiver(nullptr) {}
HttpReceiver::HttpReceiver(Handler handler) : HttpReceiver(std::move(handler), Options{}) {}
HttpReceiver::HttpReceiver(Handler handler, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(handler), options)) {}
HttpReceiver::~HttpReceiver() = default;

uint16_t HttpReceiver::port() const { return impl_->port_; }

std::string HttpReceiver::Url(const std::string& path) const {
  return std::string("http://") + (impl_->options_.ipv6 ? "[::1]" : "127.0.0.1") + ":" +
         std::to_string(port()) + path;
}

void HttpReceiver::SetHandler(Handler handler) {
  std::lock_guard lock(impl_->mutex_);
  impl_->handler_ = std::move(handler);
}

size_t HttpReceiver::request_count() const {
  std::lock_guard lock(impl_->mutex_);
  return impl_->request_count_;
}

size_t HttpReceiver::connection_count() const {
  std::lock_guard lock(impl_->mutex_);
  return impl_->connection_count_;
}

size_t HttpReceiver::open_connection_count() const {
  std::lock_guard lock(impl_->mutex_);
  return impl_->open_count_;
}

std::vector<ReceivedRequest> HttpReceiver::requests() const {
  std::lock_guard lock(impl_->mutex_);
  return impl_->requests_;
}

bool HttpReceiver::WaitForRequests(size_t count, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(impl_->mutex_);
  return impl_->arrived_.wait_for(lock, timeout, [&] { return impl_->request_count_ >= count; });
}

void HttpReceiver::CloseConnections() {
  impl_->OnThread([this] { impl_->CloseAll(); });
}

void HttpReceiver::Stop() {
  impl_->OnThread([this] {
    impl_->StopListening();
    impl_->CloseAll();
  });
}

}  // namespace hookd::testing
