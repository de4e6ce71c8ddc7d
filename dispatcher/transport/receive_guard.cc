#include "dispatcher/transport/receive_guard.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <optional>

#include <linux/tcp.h>
#include <netinet/in.h>

#include "base/processor_time.h"

namespace hookd {
namespace {

std::optional<uint64_t> ReceivedBytes(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info.tcpi_bytes_received;
}

ino_t InodeOf(int socket) {
  struct stat about {};
  return fstat(socket, &about) == 0 ? about.st_ino : 0;
}

// What has come and was not read yet goes too: it would be read to its end.
void CutOff(int socket) {
  shutdown(socket, SHUT_RDWR);
  for (uint64_t gone = 0; gone < kMaxReceivedBytes * 16;) {
    const ssize_t bytes = recv(socket, nullptr, kMaxReceivedBytes, MSG_TRUNC | MSG_DONTWAIT);
    if (bytes <= 0) return;
    gone += static_cast<uint64_t>(bytes);
  }
}

}  // namespace

ReceiveGuard::ReceiveGuard() = default;

ReceiveGuard::~ReceiveGuard() {
  if (!thread_.joinable()) return;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    changed_.Signal();
  }
  thread_.join();
}

void ReceiveGuard::Watch(int socket, bool resting) {
  const Watched watched{InodeOf(socket), ReceivedBytes(socket).value_or(0), resting};
  absl::MutexLock lock(&mutex_);
  watched_[socket] = watched;
}

void ReceiveGuard::Begin(int socket) {
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  Watch(socket, false);
}

void ReceiveGuard::Rest(int socket) { Watch(socket, true); }

void ReceiveGuard::End(int socket) {
  absl::MutexLock lock(&mutex_);
  watched_.erase(socket);
}

void ReceiveGuard::Enter(int socket) {
  absl::MutexLock lock(&mutex_);
  busy_ = true;
  read_ = socket;
  loop_ = ThisThreadsProcessorClock();
  ++entered_;
  if (asleep_) changed_.Signal();
}

void ReceiveGuard::Leave() {
  absl::MutexLock lock(&mutex_);
  busy_ = false;
}

void ReceiveGuard::Run() {
  absl::MutexLock lock(&mutex_);
  uint64_t seen = 0;
  uint64_t looks = 0;
  Duration begun{};  // the loop's processor time when this guard first saw what is `seen`
  while (!ending_) {
    if (entered_ == seen && !busy_) {
      asleep_ = true;
      changed_.Wait(&mutex_);
      asleep_ = false;
      continue;
    }
    if (entered_ != seen) begun = ProcessorTime(loop_);
    seen = entered_;
    changed_.WaitWithTimeout(&mutex_, kGuardPatience);
    const bool held = busy_ && entered_ == seen;
    const bool costly = held && ProcessorTime(loop_) - begun > kGuardProcessorTime;
    if (held || ++looks % kGuardLooks == 0) Look(held, costly);
  }
}

// One that rests can keep nobody until it is used again: only who is held looks at it.
void ReceiveGuard::Look(bool held, bool costly) {
  for (auto it = watched_.begin(); it != watched_.end();) {
    const auto [socket, watched] = *it;
    if (watched.resting && !held) {
      ++it;
      continue;
    }
    const std::optional<uint64_t> bytes = ReceivedBytes(socket);
    const bool little = watched.resting || (costly && socket == read_);
    const uint64_t most = little ? kMaxCostlyBytes : kMaxReceivedBytes;
    const bool over = bytes && *bytes > watched.bytes + most;
    if (over && InodeOf(socket) == watched.inode) CutOff(socket);
    const auto here = it++;
    if (over) watched_.erase(here);
  }
}

}  // namespace hookd
