#include "dispatcher/app/signals.h"

#include <unistd.h>

#include <csignal>
#include <thread>

#include <absl/synchronization/notification.h>
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

  void WaitForStop() { stop_.WaitForNotification(); }

 private:
  void Wait() {
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (error) return;
      if (stop_.HasBeenNotified()) _exit(kExitInterrupted);
      stop_.Notify();
      Wait();
    });
  }

  absl::Notification stop_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT};
  std::thread thread_;
};

Signals::Signals() : impl_(std::make_unique<Impl>()) {}
Signals::~Signals() = default;
void Signals::WaitForStop() { impl_->WaitForStop(); }

}  // namespace hookd
