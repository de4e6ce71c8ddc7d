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

void ReceiveGuard::Begin(int socket) {
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  const Watched watched{InodeOf(socket), ReceivedBytes(socket).value_or(0)};
  absl::MutexLock lock(&mutex_);
  watched_[socket] = watched;
}

void ReceiveGuard::End(int socket) {
  absl::MutexLock lock(&mutex_);
  watched_.erase(socket);
}

void ReceiveGuard::Enter(int socket) {
  absl::MutexLock lock(&mutex_);
  busy_ = true;
  read_ = socket;
  loop_ = pthread_self();
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
    if (held || ++looks % kGuardLooks == 0) Look();
    if (held && ProcessorTime(loop_) - begun > kGuardProcessorTime) Shut(read_);
  }
}

void ReceiveGuard::Look() {
  for (auto it = watched_.begin(); it != watched_.end();) {
    const int socket = it->first;
    const std::optional<uint64_t> bytes = ReceivedBytes(socket);
    const bool over = bytes && *bytes > it->second.bytes + kMaxReceivedBytes;
    ++it;  // Shut takes out what it stood on
    if (over) Shut(socket);
  }
}

void ReceiveGuard::Shut(int socket) {
  const auto watched = watched_.find(socket);
  if (watched == watched_.end()) return;
  if (InodeOf(socket) == watched->second.inode) shutdown(socket, SHUT_RDWR);
  watched_.erase(watched);
}

}  // namespace hookd
