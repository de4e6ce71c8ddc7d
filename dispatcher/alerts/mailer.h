// The thread that mails alerts.
#pragma once

#include <memory>

#include "dispatcher/alerts/mail_desk.h"

namespace hookd {

// Lifetime: made once the engine has started; stopped, or destroyed, before the engine drains.
class Mailer {
 public:
  // `engine`, `clock` and `telemetry` outlive it.
  Mailer(MailOptions options, MailTemplates templates, std::unique_ptr<MailSender> sender, Engine& engine,
         const Clock& clock, Telemetry& telemetry);
  ~Mailer();

  // Ends a message under way, which goes with the next start, and joins the thread. Idempotent.
  void Stop();

  // As MailDesk's. Any thread.
  size_t backlog() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
