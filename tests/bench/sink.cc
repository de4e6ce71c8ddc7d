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
constexpr std::string_view kRefusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kEndlessAnswer = "HTTP/1.1 200 OK\r\n\r\n";
constexpr size_t kChunkBytes = 16 * 1024;
constexpr double kSlowSeconds = 29;
constexpr int kSlowPollMs = 20;
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

void Watch(int epoll, int fd, int how = EPOLL_CTL_ADD, uint32_t what = EPOLLIN) {
  epoll_event event{};
  event.events = what;
  event.data.fd = fd;
  HOOKD_CHECK(epoll_ctl(epoll, how, fd, &event) == 0, "epoll takes it");
}

bool SendAll(int fd, std::string_view text) {
  return send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// As much as there is room for. False: the connection has ended.
bool SendMore(int fd) {
  static const std::string chunk(kChunkBytes, 'x');
  return send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
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
    const int count =
        epoll_wait(epoll_, events, std::size(events), manner_ == Manner::kSlow ? kSlowPollMs : -1);
    if (!late_.empty()) AnswerLate(NowSeconds());
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_) return;
      if (std::binary_search(listeners_.begin(), listeners_.end(), fd)) {
        Accept(fd);
      } else if (((events[i].events & EPOLLOUT) != 0 && !SendMore(fd)) ||
                 ((events[i].events & ~EPOLLOUT) != 0 && !Receive(fd))) {
        Drop(fd);
      }
    }
  }
}

void Sink::AnswerLate(double now) {
  for (; !late_.empty() && late_.front().due <= now; late_.pop_front()) {
    const auto it = connections_.find(late_.front().fd);
    if (it == connections_.end() || it->second.number != late_.front().number) continue;
    if (!SendAll(it->first, kAnswer)) Drop(it->first);
  }
}

void Sink::Drop(int fd) {
  connections_.erase(fd);
  close(fd);
}

void Sink::Accept(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connections_[fd].number = ++last_number_;
  Watch(epoll_, fd);
}

bool Sink::Receive(int fd) {
  char buffer[kReadBytes];
  const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  const double now = NowSeconds();
  Connection& connection = connections_[fd];
  std::string& kept = connection.kept;
  kept.append(buffer, static_cast<size_t>(size));
  bool open = true;
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
    open = open && AnswerTo(fd, connection, now);
    done += body + length;
  }
  kept.erase(0, done);
  return open;
}

bool Sink::AnswerTo(int fd, Connection& connection, double now) {
  switch (manner_) {
    case Manner::kAnswers:
      return SendAll(fd, kAnswer);
    case Manner::kBlackHole:
      return true;
    case Manner::kSlow:
      late_.push_back({now + kSlowSeconds, fd, connection.number});
      return true;
    case Manner::kRefuses:
      return SendAll(fd, kRefusal);
    case Manner::kEndless:
      if (!connection.endless) Watch(epoll_, fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      connection.endless = true;
      return SendAll(fd, kEndlessAnswer);
  }
  return false;
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
