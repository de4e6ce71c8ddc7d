#include "dispatcher/app/alert_mail.h"

#include <fstream>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "base/status_macros.h"
#include "dispatcher/alerts/mail_text.h"
#include "dispatcher/app/proto_time.h"
#include "dispatcher/core/text_rules.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

// HOST:PORT, as in a URL.
bool IsServer(const std::string& server) {
  const size_t colon = server.rfind(':');
  const bool port = colon != std::string::npos && colon + 1 < server.size() && server.back() != ']';
  return port && server.find_first_of("/?#@") == std::string::npos && ParseUrl("https://" + server).ok();
}

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    return absl::InvalidArgumentError(
        absl::StrCat("alerts.mail.password_file: ", path, " cannot be read, or is empty"));
  }
  if (line.size() > kMaxPasswordBytes) {
    return absl::InvalidArgumentError(absl::StrCat("alerts.mail.password_file: the first line has more than ",
                                                   kMaxPasswordBytes, " bytes"));
  }
  return line;
}

}  // namespace

absl::StatusOr<std::optional<AlertMail>> ReadAlertMail(const config::v1::Config& config) {
  const config::v1::AlertMail& from = config.alerts().mail();
  if (from.server().empty()) return std::nullopt;
  AlertMail made;
  std::vector<std::string> faults;
  const auto check = [&faults](const absl::Status& status) {
    if (!status.ok()) faults.emplace_back(status.message());
  };
  const auto fault = [&faults](bool good, const char* text) {
    if (!good) faults.emplace_back(text);
  };

  fault(IsServer(from.server()), "alerts.mail.server: is not HOST:PORT: write mail.example.com:587");
  made.smtp.server = from.server();
  made.smtp.tls = from.tls() == "tls"   ? MailTls::kTls
                  : from.tls() == "off" ? MailTls::kOff
                                        : MailTls::kStartTls;
  made.smtp.ca_file = from.ca_file().empty() ? config.transport().ca_file() : from.ca_file();
  made.smtp.timeout = ToMillis(from.timeout());
  made.smtp.user = from.user();
  fault(from.user().empty() || made.smtp.tls != MailTls::kOff,
        "alerts.mail.user: the password would go in clear: set alerts.mail.tls to starttls or tls");
  fault(from.user().empty() == from.password_file().empty(),
        "alerts.mail.password_file: belongs to alerts.mail.user: give both, or neither");
  if (!from.password_file().empty()) {
    absl::StatusOr<std::string> password = ReadPassword(from.password_file());
    check(password.status());
    if (password.ok()) made.smtp.password = *std::move(password);
  }

  made.mail.digest_after = ToMillis(from.digest_after());
  made.mail.from = from.from();
  check(CheckMailAddress("alerts.mail.from", from.from()));
  for (int i = 0; i < from.to_size(); ++i) {
    made.mail.operators.push_back(from.to(i));
    check(CheckMailAddress(absl::StrCat("alerts.mail.to[", i, "]"), from.to(i)));
  }
  absl::StatusOr<MailTemplates> templates = MailTemplates::Load(from.templates_dir(), WantedTemplates());
  check(templates.status());
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  made.templates = *std::move(templates);
  return made;
}

}  // namespace hookd
