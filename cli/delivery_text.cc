#include "cli/delivery_text.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "base/concat.h"
#include "cli/output.h"
#include "cli/words.h"

namespace hookd::cli {
namespace {

constexpr size_t kShownBodyBytes = 200;
constexpr size_t kShownDetailBytes = 80;

// "retry after".
template <typename Enum>
std::string Plain(Enum value) {
  return absl::StrReplaceAll(Word(value), {{"_", " "}});
}

std::string Headers(const google::protobuf::RepeatedPtrField<v1::HeaderField>& headers) {
  std::string text;
  for (const v1::HeaderField& header : headers) {
    const std::string value = header.masked() ? "(not shown)" : header.value();
    text += Concat("    ", Printable(header.name()), ": ", Printable(value), "\n");
  }
  return text;
}

std::string AttemptTable(const v1::Delivery& delivery) {
  std::vector<Row> rows;
  for (const v1::Attempt& attempt : delivery.attempts()) {
    rows.push_back({std::to_string(attempt.number()), TimeText(attempt.start_time()),
                    attempt.status() == 0 ? "-" : std::to_string(attempt.status()),
                    ShortDuration(attempt.phases().total()), PhasesText(attempt.phases()),
                    OutcomeText(attempt), DecisionText(attempt),
                    OneLine(attempt.response_body(), kShownBodyBytes)});
  }
  return TableText({"ATTEMPT", "STARTED", "STATUS", "TOOK", "PHASES", "OUTCOME", "THEN", "RESPONSE"}, rows);
}

}  // namespace

std::string StateText(v1::DeliveryState state) { return absl::AsciiStrToUpper(Word(state)); }

std::string WaitingText(const v1::WaitingOn& waiting) {
  if (waiting.kind() == v1::WAIT_KIND_UNSPECIFIED) return "";
  std::string text = Plain(waiting.kind());
  if (!waiting.delivery_id().empty()) text += " " + waiting.delivery_id();
  if (!waiting.detail().empty()) text += Concat(" (", OneLine(waiting.detail(), kShownDetailBytes), ")");
  if (waiting.has_since()) text += ", since " + TimeText(waiting.since());
  if (waiting.has_until()) text += ", until " + TimeText(waiting.until());
  return text;
}

std::string PhasesText(const v1::AttemptPhases& phases) {
  std::vector<std::string> parts;
  const auto add = [&parts](const char* name, bool happened, const google::protobuf::Duration& took) {
    if (happened) parts.push_back(Concat(name, " ", ShortDuration(took)));
  };
  add("queue", phases.has_queue(), phases.queue());
  add("name", phases.has_name(), phases.name());
  add("connect", phases.has_connect(), phases.connect());
  add("tls", phases.has_tls(), phases.tls());
  add("first byte", phases.has_first_byte(), phases.first_byte());
  return absl::StrJoin(parts, ", ");
}

std::string OutcomeText(const v1::Attempt& attempt) {
  if (attempt.error_kind().empty()) return "success";
  if (attempt.error_detail().empty()) return attempt.error_kind();
  return Concat(attempt.error_kind(), " (", OneLine(attempt.error_detail(), kShownDetailBytes), ")");
}

std::string DecisionText(const v1::Attempt& attempt) {
  std::string text = attempt.decision() == v1::ATTEMPT_DECISION_UNSPECIFIED ? "" : Plain(attempt.decision());
  if (!attempt.has_next_due_time()) return text;
  return Concat(text, text.empty() ? "" : " ", "until ", TimeText(attempt.next_due_time()));
}

std::string ExchangeText(const v1::Attempt& attempt) {
  const std::string status = attempt.status() == 0 ? "" : std::to_string(attempt.status());
  std::string text =
      FieldsText({{"  started", TimeText(attempt.start_time())},
                  {"  outcome", OutcomeText(attempt)},
                  {"  status", status},
                  {"  took", ShortDuration(attempt.phases().total())},
                  {"  phases", PhasesText(attempt.phases())},
                  {"  address", attempt.remote_address()},
                  {"  http", attempt.http_version()},
                  {"  resends", attempt.resends() == 0 ? "" : std::to_string(attempt.resends())},
                  {"  then", DecisionText(attempt)}});
  if (!attempt.request_headers().empty()) text += "  request headers\n" + Headers(attempt.request_headers());
  if (!attempt.response_headers().empty())
    text += "  response headers\n" + Headers(attempt.response_headers());
  if (!attempt.response_body().empty()) {
    text += Concat("  response body", attempt.response_body_truncated() ? ", its beginning" : "", "\n    ",
                   Printable(attempt.response_body()), "\n");
  }
  return text;
}

std::string DeliveryText(const v1::Delivery& delivery, bool verbose) {
  const bool own = delivery.origin() == v1::DELIVERY_ORIGIN_UNSPECIFIED;
  std::string text = FieldsText({{"id", delivery.id()},
                                 {"state", StateText(delivery.state())},
                                 {"reason", delivery.end_reason()},
                                 {"waiting on", WaitingText(delivery.waiting_on())},
                                 {"event", delivery.event_id()},
                                 {"type", delivery.event_type()},
                                 {"subscriber", delivery.subscriber_id()},
                                 {"endpoint", delivery.endpoint_id()},
                                 {"sequence", std::to_string(delivery.sequence())},
                                 {"origin", own ? "" : Plain(delivery.origin())},
                                 {"batch", delivery.batch_id()},
                                 {"replaces", delivery.replaces()},
                                 {"replaced by", delivery.replaced_by()},
                                 {"accepted", TimeText(delivery.accept_time())},
                                 {"ended", TimeText(delivery.end_time())},
                                 {"next due", TimeText(delivery.next_due_time())},
                                 {"attempts", std::to_string(delivery.attempt_count())}});
  if (delivery.attempts().empty()) return text;
  if (!verbose) return text + "\n" + AttemptTable(delivery);
  for (const v1::Attempt& attempt : delivery.attempts()) {
    text += Concat("\nattempt ", attempt.number(), "\n", ExchangeText(attempt));
  }
  return text;
}

}  // namespace hookd::cli
