#include "tests/bench/sink.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/check.h"
#include "base/concat.h"
#include "tests/bench/stats.h"

namespace hookd::bench {
namespace {

constexpr int kBacklog = 4096;
constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kHostsPerNet = 250;  // 127.0.0.1 to 127.0.0.250, then 127.0.1.1
constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::string_view kEndOfHeaders = "\r\n\r\n";
constexpr std::string_view kContentLength = "\r\nContent-Length: ";

int Listen(const std::string& host, uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  HOOKD_CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                  inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1 &&
                  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                  listen(fd, kBacklog) == 0,
              "the receiver listens");
  return fd;
}

uint16_t PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  HOOKD_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "it has a port");
  return ntohs(address.sin_port);
}

void Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  HOOKD_CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll takes it");
}

}  // namespace

Sink::Sink(size_t hosts, Manner manner) : manner_(manner) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  stop_ = eventfd(0, EFD_CLOEXEC);
  Watch(epoll_, stop_);
  for (size_t i = 0; i < hosts; ++i) {
    hosts_.push_back(Concat("127.0.", i / kHostsPerNet, ".", i % kHostsPerNet + 1));
    listeners_.push_back(Listen(hosts_.back(), port_));
    if (i == 0) port_ = PortOf(listeners_.front());
    Watch(epoll_, listeners_.back());
  }
  std::sort(listeners_.begin(), listeners_.end());
  thread_ = std::thread([this] { Run(); });
}

Sink::~Sink() {
  const uint64_t one = 1;
  HOOKD_CHECK(write(stop_, &one, sizeof(one)) == sizeof(one), "the receiver ends");
  thread_.join();
  for (const auto& [fd, unused] : connections_) close(fd);
  for (const int fd : listeners_) close(fd);
  close(stop_);
  close(epoll_);
}

std::string Sink::Url(size_t i) const {
  return Concat("http://", hosts_[i % hosts_.size()], ":", port_, "/hook");
}

double Sink::FirstArrival() const {
  absl::MutexLock lock(&mutex_);
  return first_arrival_;
}

std::vector<double> Sink::Latencies() const {
  absl::MutexLock lock(&mutex_);
  return latencies_;
}

void Sink::Forget() {
  absl::MutexLock lock(&mutex_);
  first_arrival_ = 0;
  latencies_.clear();
  requests_ = 0;
}

void Sink::Run() {
  epoll_event events[256];
  while (true) {
    const int count = epoll_wait(epoll_, events, std::size(events), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_) return;
      if (std::binary_search(listeners_.begin(), listeners_.end(), fd)) {
        Accept(fd);
      } else if (!Receive(fd)) {
        connections_.erase(fd);
        close(fd);
      }
    }
  }
}

void Sink::Accept(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connections_[fd];
  Watch(epoll_, fd);
}

bool Sink::Receive(int fd) {
  char buffer[kReadBytes];
  const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  const double now = NowSeconds();
  std::string& kept = connections_[fd];
  kept.append(buffer, static_cast<size_t>(size));
  std::string answers;
  size_t done = 0;
  while (true) {
    const std::string_view rest = std::string_view(kept).substr(done);
    const size_t headers = rest.find(kEndOfHeaders);
    if (headers == std::string_view::npos) break;
    const size_t field = rest.substr(0, headers).find(kContentLength);
    HOOKD_CHECK(field != std::string_view::npos, "a request says its length");
    size_t length = 0;
    std::from_chars(rest.data() + field + kContentLength.size(), rest.data() + headers, length);
    const size_t body = headers + kEndOfHeaders.size();
    if (rest.size() - body < length) break;
    Record(rest.data() + body, length, now);
    if (manner_ == Manner::kAnswers) answers.append(kAnswer);
    done += body + length;
  }
  kept.erase(0, done);
  return answers.empty() ||
         send(fd, answers.data(), answers.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answers.size());
}

void Sink::Record(const char* body, size_t size, double now) {
  const std::string_view text(body, size);
  absl::MutexLock lock(&mutex_);
  ++requests_;
  if (first_arrival_ == 0) first_arrival_ = now;
  if (text.substr(0, sizeof(kStampPrefix) - 1) != kStampPrefix) return;
  int64_t published = 0;
  std::from_chars(body + sizeof(kStampPrefix) - 1, body + size, published);
  latencies_.push_back((now - static_cast<double>(published) / 1e9) * 1e3);
}

}  // namespace hookd::bench
