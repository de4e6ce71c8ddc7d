#include "tests/fakes/scripted_receiver.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace hookd::testing {
namespace {

constexpr std::chrono::milliseconds kLook{20};  // between two looks at whether the receiver goes

}  // namespace

ScriptedPeer::~ScriptedPeer() {
  if (fd_ >= 0) close(fd_);
}

// True: one of `events` came, or the other side is gone. False: nothing within `at_most`, or the receiver
// goes.
bool ScriptedPeer::Wait(short events, std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!ending_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd ready{fd_, events, 0};
    const int got = poll(&ready, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, kLook.count())));
    if (got > 0) return true;
    if (left.count() <= 0) return false;
  }
  return false;
}

bool ScriptedPeer::WaitReadable() { return Wait(POLLIN, std::chrono::hours(1)); }

bool ScriptedPeer::Write(std::string_view bytes) {
  while (!bytes.empty() && fd_ >= 0) {
    if (!Wait(POLLOUT, std::chrono::hours(1))) return false;
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return fd_ >= 0 && !ending_;
}

bool ScriptedPeer::Trickle(std::string_view bytes, std::chrono::milliseconds between) {
  for (const char byte : bytes) {
    if (!Write({&byte, 1})) return false;
    if (Wait(POLLRDHUP, between)) return false;
  }
  return !ending_;
}

void ScriptedPeer::WriteForever(std::string_view bytes) {
  std::string many(bytes);
  while (many.size() < 16 * 1024) many += bytes;
  while (Write(many)) {
  }
}

std::string ScriptedPeer::ReadUntil(std::string_view end) {
  std::string got;
  std::array<char, 4096> buffer;
  while (got.find(end) == std::string::npos) {
    if (!WaitReadable()) break;
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    got.append(buffer.data(), static_cast<size_t>(size));
  }
  return got;
}

std::string ScriptedPeer::ReadRequest() {
  std::string request = ReadUntil("\r\n\r\n");
  const size_t head = request.find("\r\n\r\n");
  const size_t length = request.find("Content-Length: ");
  if (head == std::string::npos || length == std::string::npos) return request;
  const size_t whole = head + 4 + std::strtoul(request.c_str() + length + 16, nullptr, 10);
  std::array<char, 4096> buffer;
  while (request.size() < whole && WaitReadable()) {
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    request.append(buffer.data(), static_cast<size_t>(size));
  }
  return request;
}

void ScriptedPeer::Idle() { Wait(POLLRDHUP, std::chrono::hours(1)); }

void ScriptedPeer::Drain() {
  std::array<char, 4096> buffer;
  while (WaitReadable() && recv(fd_, buffer.data(), buffer.size(), 0) > 0) {
  }
}

void ScriptedPeer::HalfClose() { shutdown(fd_, SHUT_WR); }

void ScriptedPeer::Reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(fd_);
  fd_ = -1;
}

ScriptedReceiver::ScriptedReceiver(Script script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || bind(listener_, any, size) != 0 || listen(listener_, 256) != 0 ||
      getsockname(listener_, any, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

ScriptedReceiver::~ScriptedReceiver() {
  ending_ = true;
  accepting_.join();
  for (std::thread& script : scripts_) script.join();
  close(listener_);
}

std::string ScriptedReceiver::Url(const std::string& scheme) const {
  return scheme + "://127.0.0.1:" + std::to_string(port_) + "/";
}

void ScriptedReceiver::Accept() {
  while (!ending_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(kLook.count())) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ++connections_;
    std::lock_guard lock(mutex_);
    scripts_.emplace_back([this, fd] {
      ScriptedPeer peer(fd, ending_);
      script_(peer);
    });
  }
}

}  // namespace hookd::testing
