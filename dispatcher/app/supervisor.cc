#include "dispatcher/app/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "base/concat.h"

namespace hookd {
namespace {

std::string Take(const char* variable) {
  const char* value = std::getenv(variable);
  std::string text = value == nullptr ? "" : value;
  unsetenv(variable);
  return text;
}

}  // namespace

class Supervisor::Impl {
 public:
  Impl() : path_(Take("NOTIFY_SOCKET")) {
    const std::string interval = Take("WATCHDOG_USEC");
    const std::string pid = Take("WATCHDOG_PID");
    int64_t us = 0;
    if (absl::SimpleAtoi(interval, &us) && us > 0 && (pid.empty() || pid == std::to_string(getpid()))) {
      interval_us_ = us;
    }
    if (path_.empty() || path_.size() >= sizeof(sockaddr_un::sun_path)) return;
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  }

  ~Impl() {
    if (thread_.joinable()) {
      ended_.Notify();
      thread_.join();
    }
    if (socket_ >= 0) close(socket_);
  }

  void Send(const std::string& message) const {
    if (socket_ < 0) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    // An address without a file.
    if (path_.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           length);
  }

  void Watch(std::function<bool()> alive) {
    if (socket_ < 0 || interval_us_ == 0 || thread_.joinable()) return;
    alive_ = std::move(alive);
    thread_ = std::thread([this] {
      do {
        if (Alive()) Send("WATCHDOG=1");
      } while (!ended_.WaitForNotificationWithTimeout(absl::Microseconds(interval_us_ / 2)));
    });
  }

  // Waits for a question under way.
  void StopAsking() {
    const std::lock_guard lock(mutex_);
    alive_ = nullptr;
  }

 private:
  // A stop is bounded by itself.
  bool Alive() {
    const std::lock_guard lock(mutex_);
    return alive_ == nullptr || alive_();
  }

  const std::string path_;
  int64_t interval_us_ = 0;  // 0 = it does not watch
  int socket_ = -1;
  std::mutex mutex_;
  std::function<bool()> alive_;
  absl::Notification ended_;
  std::thread thread_;
};

Supervisor::Supervisor() : impl_(std::make_unique<Impl>()) {}
Supervisor::~Supervisor() = default;

void Supervisor::Ready(std::string_view status, std::function<bool()> alive) {
  impl_->Send(Concat("READY=1\nSTATUS=", status));
  impl_->Watch(std::move(alive));
}

void Supervisor::Stopping() {
  impl_->StopAsking();
  impl_->Send("STOPPING=1\nSTATUS=attempts in flight may end");
}

}  // namespace hookd
