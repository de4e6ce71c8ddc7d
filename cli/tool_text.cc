#include "cli/tool_text.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "base/concat.h"
#include "cli/delivery_text.h"
#include "cli/output.h"
#include "cli/words.h"

namespace hookd::cli {

std::string CertificateText(const v1::Certificate& certificate) {
  const std::string names =
      certificate.names().empty() ? certificate.subject() : absl::StrJoin(certificate.names(), ", ");
  return Printable(Concat(names, "; issued by ", certificate.issuer(), "; ",
                          TimeText(certificate.valid_from()), " to ", TimeText(certificate.valid_until())));
}

std::string TestResultText(const v1::TestResult& result) {
  std::string head = result.event_type();
  if (!result.sample().empty()) head += Concat(" (", result.sample(), ")");
  const std::string kind = absl::StrReplaceAll(Word(result.diagnosis().kind()), {{"_", " "}});
  std::string text =
      Concat(head, head.empty() ? "" : ": ", absl::AsciiStrToUpper(kind), "\n",
             FieldsText({{"  that is", Printable(result.diagnosis().text())},
                         {"  webhook-id", result.webhook_id()},
                         {"  bin", result.bin_id()},
                         {"  certificate", result.has_certificate() ? CertificateText(result.certificate())
                                                                    : std::string()}}));
  if (result.has_attempt()) text += ExchangeText(result.attempt());
  return text;
}

}  // namespace hookd::cli
