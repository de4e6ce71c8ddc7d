#include "cli/tool_text.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
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

Fields BinFields(const v1::Bin& bin) {
  return {{"id", bin.id()},
          {"url", bin.url()},
          {"answers", std::to_string(bin.status())},
          {"endpoint", bin.endpoint_id()},
          {"created", TimeText(bin.create_time())},
          {"expires", TimeText(bin.expire_time())},
          {"requests", std::to_string(bin.requests())},
          {"bytes", Grouped(bin.bytes())},
          {"dropped", bin.dropped() == 0 ? "" : Grouped(bin.dropped())}};
}

Row CapturedRow(const v1::CapturedRequest& request) {
  const auto header = [&request](const char* name) {
    for (const v1::HeaderField& field : request.headers()) {
      if (absl::EqualsIgnoreCase(field.name(), name)) return Printable(field.value());
    }
    return std::string();
  };
  return {std::to_string(request.number()),
          TimeText(request.time()),
          Printable(request.method()),
          OneLine(request.target(), 60),
          header("hookd-event-type"),
          header("webhook-id"),
          Grouped(request.body_bytes()),
          request.status() == 0 ? "not sent" : std::to_string(request.status())};
}

std::string CapturedText(const v1::CapturedRequest& request) {
  std::string text = Concat("# ", request.number(), ", ", TimeText(request.time()), ", ");
  text += request.remote_address().empty()
              ? std::string("shown without being sent")
              : Concat("from ", request.remote_address(), ", answered ", request.status());
  text += Concat("\n", Printable(request.method()), " ", Printable(request.target()), "\n");
  for (const v1::HeaderField& field : request.headers()) {
    text += Concat(Printable(field.name()), ": ", field.masked() ? "(not shown)" : Printable(field.value()),
                   "\n");
  }
  text += "\n";
  if (!request.body().empty()) text += Printable(request.body()) + "\n";
  if (request.body_bytes() > request.body().size()) {
    text += Concat("(", Grouped(request.body_bytes()), " bytes were too many to be kept)\n");
  }
  return text;
}

}  // namespace hookd::cli
