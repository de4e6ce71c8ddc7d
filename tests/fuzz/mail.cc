// Mails: what others gave stays in its line, whatever it holds. The input: a subject, a line end, a body.
#include <algorithm>
#include <string>

#include <absl/strings/str_split.h>

#include "dispatcher/alerts/mail_message.h"
#include "dispatcher/core/text_rules.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  fuzz::Input input(data, size);
  Mail mail;
  mail.from = "hookd@example.com";
  mail.to = "ops@example.com";
  mail.subject = std::string(input.Until('\0'));
  mail.body = std::string(input.rest());
  mail.message_id = "1@example.com";
  const std::string composed = ComposeMail(mail);
  const size_t head = composed.find("\r\n\r\n");
  Must(head != std::string::npos, "a head ends");
  int subjects = 0;
  for (const absl::string_view line : absl::StrSplit(composed, "\r\n")) {
    Must(line.size() <= 998, "a line is short enough");
    Must(std::all_of(line.begin(), line.end(), [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); }),
         "a mail is ASCII, without control characters");
  }
  for (const absl::string_view line : absl::StrSplit(absl::string_view(composed).substr(0, head), "\r\n")) {
    if (line.substr(0, 8) == "Subject:") ++subjects;
    const absl::string_view name = line.substr(0, line.find(':'));
    Must(line[0] == ' ' || name == "Subject" || name == "From" || name == "To" || name == "Date" ||
             name == "Message-ID" || name == "References" || name == "MIME-Version" ||
             name == "Content-Type" || name == "Content-Transfer-Encoding" || name == "Auto-Submitted" ||
             name == "In-Reply-To",
         "no header but hookd's own");
  }
  Must(subjects == 1, "one subject");
  Must(IsUtf8(OneLine(mail.subject)) && OneLine(mail.subject).find_first_of("\r\n") == std::string::npos,
       "one line");
  return 0;
}
