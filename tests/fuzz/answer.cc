// What receivers answer, through the transport that reads it: whatever comes, an exchange ends, within its
// bounds. The input: the HTTP version, 1 byte, and all that the receiver says before it closes.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/synchronization/mutex.h>
#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/concat.h"
#include "base/model.h"
#include "dispatcher/core/retry_after.h"
#include "dispatcher/engine/kept_headers.h"
#include "dispatcher/transport/curl_transport.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

// Reads the head of a request, says what it was told to, and closes.
class Receiver {
 public:
  Receiver() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    Must(bind(listener_, generic, size) == 0 && listen(listener_, 8) == 0 &&
             getsockname(listener_, generic, &size) == 0,
         "there is a port");
    url_ = Concat("http://127.0.0.1:", ntohs(address.sin_port), "/?token=hunter2hunter2");
    thread_ = std::thread([this] {
      for (;;) Serve(accept(listener_, nullptr, nullptr));
    });
    thread_.detach();  // until the process ends
  }

  void Say(std::string_view text) {
    const absl::MutexLock lock(&mutex_);
    text_ = std::string(text);
  }
  const std::string& url() const { return url_; }

 private:
  void Serve(int peer) {
    std::string said;
    {
      const absl::MutexLock lock(&mutex_);
      said = text_;
    }
    std::string head;
    char piece[4096];
    // HTTP/2 begins with a head of its own.
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(peer, piece, sizeof piece, 0);
      if (got <= 0) break;
      head.append(piece, static_cast<size_t>(got));
    }
    for (size_t at = 0; at < said.size();) {
      const ssize_t sent = send(peer, said.data() + at, said.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) break;
      at += static_cast<size_t>(sent);
    }
    shutdown(peer, SHUT_WR);
    while (recv(peer, piece, sizeof piece, MSG_DONTWAIT) > 0) {
    }
    close(peer);
  }

  const int listener_;
  std::string url_;
  absl::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class World {
 public:
  World() {
    InitCurl();
    CurlTransportOptions options;
    options.multis = options.http2_multis = 1;
    options.dns_servers = {"127.0.0.1:1"};
    EgressOptions egress;
    egress.allow_loopback = true;
    options.egress = std::make_shared<const EgressPolicy>(egress);
    transport_ = MakeCurlTransport(io_, options, RealClock());
  }

  HttpResult Exchange(HttpVersion version, std::string_view answer) {
    receiver_.Say(answer);
    HttpRequest request;
    request.url = receiver_.url();
    request.headers = {{"Content-Type", "application/json"}};
    request.body = "{}";
    request.timeout = Millis(5'000);
    request.http_version = version;
    request.fresh = true;  // a connection of its own: nothing is left of what was said before
    std::optional<HttpResult> result;
    transport_->Send(std::move(request), [&result](HttpResult r) { result = std::move(r); });
    while (!result) {
      io_.restart();
      io_.run_one();
    }
    return *std::move(result);
  }

 private:
  Receiver receiver_;
  boost::asio::io_context io_{1};
  std::unique_ptr<HttpTransport> transport_;
};

bool IsText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static World& world = *new World;
  fuzz::Input input(data, size);
  const HttpVersion version = input.Byte() == '2' ? HttpVersion::kHttp2 : HttpVersion::kHttp11;
  const HttpResult result = world.Exchange(version, input.rest());
  const bool answered = result.error == ErrorKind::kNone;
  fuzz::Must(answered == (result.status != 0) && answered == result.error_detail.empty(),
             "an exchange ends with a status or an error");
  fuzz::Must(!answered || (result.status >= 200 && result.status <= 999), "a status is a final one");
  fuzz::Must(result.error != ErrorKind::kTimeout, "who closes is not waited for");
  fuzz::Must(result.error != ErrorKind::kLocal, "what a receiver says is not held against hookd");
  fuzz::Must(result.error_detail.size() <= kMaxErrorDetail && IsText(result.error_detail),
             "an error is a text");
  fuzz::Must(result.error_detail.find("hunter2") == std::string::npos, "and shows no query");
  fuzz::Must(result.headers.size() <= kKeptHeaderBytes && result.body.size() <= kKeptBodyBytes &&
                 result.retry_after.size() <= 64,
             "what is kept is bounded");
  const std::string kept = KeptResponseHeaders(result.headers);
  fuzz::Must(kept.size() <= kKeptHeaderBytes && IsText(kept), "and headers are shown as text");
  static_cast<void>(ParseRetryAfter(result.retry_after, 1'700'000'000'000));
  return 0;
}
