#include "dispatcher/app/signals.h"

#include <unistd.h>

#include <csignal>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

namespace hookd {
namespace {

constexpr int kExitInterrupted = 130;

}  // namespace

class Signals::Impl {
 public:
  Impl() {
    Wait();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    io_.stop();
    thread_.join();
  }

  void WaitForStop(const std::function<void()>& reload) {
    for (;;) {
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Impl::HasSignal));
        if (stop_) return;
        reload_ = false;
      }
      reload();
    }
  }

 private:
  void Wait() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
      if (error) return;
      {
        absl::MutexLock lock(&mutex_);
        if (signal == SIGHUP) {
          reload_ = true;
        } else {
          if (stop_) _exit(kExitInterrupted);
          stop_ = true;
        }
      }
      Wait();
    });
  }

  bool HasSignal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || reload_; }

  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool reload_ ABSL_GUARDED_BY(mutex_) = false;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  std::thread thread_;
};

Signals::Signals() : impl_(std::make_unique<Impl>()) {}
Signals::~Signals() = default;
void Signals::WaitForStop(const std::function<void()>& reload) { impl_->WaitForStop(reload); }

}  // namespace hookd
