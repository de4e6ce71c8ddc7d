// What takes a mail to the mail server.
#pragma once

#include <string>

#include "dispatcher/alerts/mail_message.h"

namespace hookd {

struct MailAnswer {
  enum class Kind {
    kSent,
    kPostponed,  // the server does not take it now, for this recipient or this message (4xx)
    kRefused,    // likewise, and says that it never will (5xx)
    kTrouble,    // the server, the way to it, or who we say we are: no message would go
  };
  Kind kind = Kind::kSent;
  std::string detail;  // in plain words, one line; no secrets
};

// Send from one thread, Abort from any.
class MailSender {
 public:
  virtual ~MailSender() = default;
  // Waits for the server's answer, for a bounded time.
  virtual MailAnswer Send(const Mail& mail) = 0;
  // Ends a Send under way with kTrouble, within about a second, and any later one at once.
  virtual void Abort() = 0;
};

}  // namespace hookd
