#include "dispatcher/alerts/mailer.h"

#include <pthread.h>

#include <random>
#include <thread>
#include <utility>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

namespace hookd {

class Mailer::Impl {
 public:
  Impl(MailOptions options, MailTemplates templates, std::unique_ptr<MailSender> sender, Engine& engine,
       const Clock& clock, Telemetry& telemetry)
      : sender_(std::move(sender)),
        desk_(std::move(options), std::move(templates), engine, *sender_, clock, telemetry,
              std::random_device()()),
        thread_([this] { Run(); }) {}

  void Stop() {
    if (!thread_.joinable()) return;
    sender_->Abort();
    stop_.Notify();
    thread_.join();
  }

  size_t backlog() const { return desk_.backlog(); }

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "hookd-mail");
    while (!stop_.WaitForNotificationWithTimeout(absl::FromChrono(desk_.Step()))) {
    }
  }

  const std::unique_ptr<MailSender> sender_;
  MailDesk desk_;
  absl::Notification stop_;
  std::thread thread_;
};

Mailer::Mailer(MailOptions options, MailTemplates templates, std::unique_ptr<MailSender> sender,
               Engine& engine, const Clock& clock, Telemetry& telemetry)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(templates), std::move(sender), engine, clock,
                                   telemetry)) {}
Mailer::~Mailer() { Stop(); }
void Mailer::Stop() { impl_->Stop(); }
size_t Mailer::backlog() const { return impl_->backlog(); }

}  // namespace hookd
