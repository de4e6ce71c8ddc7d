// Requests per second and CPU per request of the transport against nginx on loopback (1 KiB POST, 64 in
// flight, keep-alive), beside the barest loop that libcurl allows: epoll and curl_multi_socket_action,
// nothing else. Fails when the transport costs more than twice the CPU of the bare loop.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <curl/curl.h>

#include "dispatcher/transport/curl_transport.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

constexpr int kInFlight = 64;
constexpr int kRequests = 60'000;
constexpr int kWarmUp = 2'000;
constexpr int kRounds = 3;  // the best of them counts: the machine has other work
constexpr double kWorstRatio = 2.0;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Cost {
  double cpu_us = 1e9;  // per request
  double per_second = 0;
};

Cost Measure(const std::function<void(int)>& run) {
  run(kWarmUp);
  Cost best;
  for (int i = 0; i < kRounds; ++i) {
    SteadyTime begun = RealClock().Steady();
    double cpu = CpuSeconds();
    run(kRequests);
    double wall = std::chrono::duration<double>(RealClock().Steady() - begun).count();
    best.cpu_us = std::min(best.cpu_us, (CpuSeconds() - cpu) * 1e6 / kRequests);
    best.per_second = std::max(best.per_second, kRequests / wall);
  }
  return best;
}

class Bare {
 public:
  explicit Bare(std::string url) : url_(std::move(url)), multi_(curl_multi_init()), epoll_(epoll_create1(0)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Bare::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Bare::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    for (int i = 0; i < kInFlight; ++i) easies_.push_back(NewEasy());
  }
  ~Bare() {
    for (CURL* easy : easies_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
    close(epoll_);
  }

  void Run(int requests) {
    int left = requests;
    int started = 0;
    for (CURL* easy : easies_) started += curl_multi_add_handle(multi_, easy) == CURLM_OK;
    int running = 0;
    while (left > 0) {
      if (timeout_ == 0) curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      epoll_event events[64];
      int count = epoll_wait(epoll_, events, 64, timeout_ < 0 ? 1'000 : static_cast<int>(timeout_));
      if (count == 0) curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      for (int i = 0; i < count; ++i) {
        int mask = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
                   ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(multi_, events[i].data.fd, mask, &running);
      }
      int queued = 0;
      while (CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
        CURL* easy = message->easy_handle;
        if (message->data.result != CURLE_OK)
          std::printf("bare: %s\n", curl_easy_strerror(message->data.result));
        curl_multi_remove_handle(multi_, easy);
        --left;
        if (started < requests) started += curl_multi_add_handle(multi_, easy) == CURLM_OK;
      }
    }
  }

 private:
  CURL* NewEasy() {
    CURL* easy = curl_easy_init();
    if (headers_ == nullptr) {
      for (const char* line :
           {"Content-Type: application/json", "webhook-id: evt_01", "webhook-timestamp: 1700000000",
            "webhook-signature: v1,abcdefghijklmnopqrstuvwxyz0123456789abcdefghijk", "Expect:"}) {
        headers_ = curl_slist_append(headers_, line);
      }
    }
    curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30'000L);
    return easy;
  }

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* self_ptr, void*) {
    auto& self = *static_cast<Bare*>(self_ptr);
    epoll_event event{};
    event.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    event.data.fd = socket;
    if (what == CURL_POLL_REMOVE) {
      epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    } else if (epoll_ctl(self.epoll_, EPOLL_CTL_ADD, socket, &event) != 0) {
      epoll_ctl(self.epoll_, EPOLL_CTL_MOD, socket, &event);
    }
    return 0;
  }
  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    static_cast<Bare*>(self)->timeout_ = timeout_ms;
    return 0;
  }

  const std::string url_;
  const std::string body_ = std::string(1'024, 'x');
  curl_slist* headers_ = nullptr;
  CURLM* multi_;
  int epoll_;
  long timeout_ = -1;
  std::vector<CURL*> easies_;
};

class Ours {
 public:
  explicit Ours(std::string url) : url_(std::move(url)) {
    auto event = std::make_shared<Event>();
    event->payload = std::string(1'024, 'x');
    event_ = event;
    transport_ = MakeCurlTransport(io_, {}, RealClock());
  }

  void Run(int requests) {
    to_send_ = requests;
    left_ = requests;
    for (int i = 0; i < kInFlight; ++i) Send();
    io_.restart();
    while (left_ > 0) io_.run_one();
  }

 private:
  void Send() {
    if (to_send_-- <= 0) return;
    HttpRequest request;
    request.url = url_;
    request.headers = {{"Content-Type", "application/json"},
                       {"webhook-id", "evt_01"},
                       {"webhook-timestamp", "1700000000"},
                       {"webhook-signature", "v1,abcdefghijklmnopqrstuvwxyz0123456789abcdefghijk"}};
    request.body_owner = event_;
    request.body = event_->payload;
    transport_->Send(std::move(request), [this](HttpResult result) {
      if (result.status != 204) std::printf("ours: %s\n", result.error_detail.c_str());
      --left_;
      Send();
    });
  }

  const std::string url_;
  std::shared_ptr<const Event> event_;
  boost::asio::io_context io_{1};
  std::unique_ptr<HttpTransport> transport_;
  int to_send_ = 0;
  int left_ = 0;
};

int Main() {
  InitCurl();
  auto nginx = NginxFixture::Start("server { listen 127.0.0.1:@PORT@; location / { return 204; } }");
  if (!nginx.ok()) {
    std::printf("transport_bench: skipped: %s\n", std::string(nginx.status().message()).c_str());
    return 0;
  }
  std::string url = (*nginx)->Url();
  Bare bare_loop(url);
  Cost bare = Measure([&](int requests) { bare_loop.Run(requests); });
  Ours our_loop(url);
  Cost ours = Measure([&](int requests) { our_loop.Run(requests); });
  std::printf("bare libcurl loop: %.0f requests/s, %.1f us CPU each\n", bare.per_second, bare.cpu_us);
  std::printf("hookd transport:   %.0f requests/s, %.1f us CPU each\n", ours.per_second, ours.cpu_us);
  std::printf("ratio: %.2f of the throughput, %.2f times the CPU\n", ours.per_second / bare.per_second,
              ours.cpu_us / bare.cpu_us);
  return ours.cpu_us / bare.cpu_us <= kWorstRatio ? 0 : 1;
}

}  // namespace
}  // namespace hookd::testing

int main() { return hookd::testing::Main(); }
