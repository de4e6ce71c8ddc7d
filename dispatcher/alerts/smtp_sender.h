// Mails by SMTP, through libcurl.
#pragma once

#include <memory>
#include <string>

#include "base/model.h"
#include "dispatcher/alerts/mail_sender.h"

namespace hookd {

enum class MailTls : uint8_t {
  kStartTls,  // required: without it nothing is sent
  kTls,       // from the first byte
  kOff,
};

struct SmtpOptions {
  std::string server;  // HOST:PORT
  MailTls tls = MailTls::kStartTls;
  std::string ca_file;  // PEM
  std::string user;     // empty = no authentication
  std::string password;
  Millis timeout{30'000};  // of one message
};

// After InitCurl. A connection is kept for a while, for the next message.
std::unique_ptr<MailSender> MakeSmtpSender(SmtpOptions options);

}  // namespace hookd
