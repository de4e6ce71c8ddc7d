// What the configuration says about mails.
#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "dispatcher/alerts/mail_desk.h"
#include "dispatcher/alerts/mail_template.h"
#include "dispatcher/alerts/smtp_sender.h"
#include "hookd/config/v1/config.pb.h"

namespace hookd {

struct AlertMail {
  MailOptions mail;
  MailTemplates templates;
  SmtpOptions smtp;
};

inline constexpr size_t kMaxPasswordBytes = 1024;

// With the password and the templates read; nullopt = there is no mail server. INVALID_ARGUMENT: a line per
// fault, "alerts.mail.from: ...", or a template's file and line.
absl::StatusOr<std::optional<AlertMail>> ReadAlertMail(const config::v1::Config& config);

}  // namespace hookd
