// A webhook receiver in the test's process: HTTP/1.1 on a free loopback port, in its own thread, that answers
// as the test says and remembers what it was asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hookd::testing {

struct ReceivedRequest {
  std::string method;
  std::string target;  // path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  size_t connection = 0;  // which connection it came on, from 1
  size_t number = 0;      // over all connections, from 1
  std::chrono::steady_clock::time_point arrived;

  // Of the first header of that name in any case; empty = none.
  std::string Header(const std::string& name) const;
};

// What goes out for one request, in this order: wait `delay`, write, repeat `endless` until the peer leaves,
// `then`.
struct ReceiverAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::chrono::milliseconds delay{0};
  std::optional<std::string> raw;  // these bytes, perhaps none, instead of status, headers and body
  std::string endless;             // not empty: written again and again
  enum class Then {
    kKeepAlive,  // read the next request
    kClose,
    kReset,  // close with RST
    kHang,   // keep the connection open and silent
  };
  Then then = Then::kKeepAlive;

  static ReceiverAnswer Status(int status, std::string body = "");
  static ReceiverAnswer Raw(std::string bytes, Then then);
};

// Thread-safe. The handler runs on the receiver's thread, one call at a time; it must not block.
class HttpReceiver {
 public:
  using Handler = std::function<ReceiverAnswer(const ReceivedRequest&)>;

  struct Options {
    bool ipv6 = false;               // [::1] instead of 127.0.0.1
    size_t kept_requests = 100'000;  // remembered; later ones are only counted
  };

  // Answers every request with 200 and no body.
  HttpReceiver();
  explicit HttpReceiver(Handler handler);
  HttpReceiver(Handler handler, const Options& options);
  ~HttpReceiver();
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;

  uint16_t port() const;
  // "http://127.0.0.1:PORT" + path.
  std::string Url(const std::string& path = "/") const;

  // From the next request on.
  void SetHandler(Handler handler);

  size_t request_count() const;
  size_t connection_count() const;       // ever accepted
  size_t open_connection_count() const;  // not closed yet
  std::vector<ReceivedRequest> requests() const;

  // True once at least `count` requests have come in all; false after `timeout`.
  bool WaitForRequests(size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;

  // Closes every open connection (idle or not) and waits until that is done.
  void CloseConnections();
  // Refuses connections from now on: the port is closed, and open connections with it.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd::testing
