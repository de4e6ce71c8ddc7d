#include "cli/event_text.h"

#include <algorithm>

#include <absl/strings/str_join.h>

#include "cli/output.h"

namespace hookd::cli {

std::string EventJson(const v1::Event& event) {
  v1::Event rest = event;
  rest.clear_payload();
  std::string json = JsonText(rest, true);
  // No text before it can hold this: a quote in a text is escaped.
  const std::string empty = "\"payload\":\"\"";
  const size_t at = json.find(empty);
  if (at == std::string::npos || event.payload().empty()) return json;
  // A line end in JSON is white space between its parts.
  std::string payload = event.payload();
  std::replace_if(
      payload.begin(), payload.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return json.replace(at, empty.size(), "\"payload\":" + payload);
}

std::string EventText(const v1::Event& event) {
  return FieldsText({{"id", event.id()},
                     {"subscriber", event.subscriber_id()},
                     {"type", event.type()},
                     {"channel", event.channel()},
                     {"ordering key", event.ordering_key()},
                     {"idempotency key", event.idempotency_key()},
                     {"coalesce key", event.coalesce_key()},
                     {"traceparent", event.traceparent()},
                     {"tracestate", event.tracestate()},
                     {"accepted", TimeText(event.accept_time())},
                     {"not before", TimeText(event.not_before_time())},
                     {"expires", TimeText(event.expire_time())},
                     {"deliveries", absl::StrJoin(event.delivery_ids(), " ")},
                     {"payload", event.payload()}});
}

}  // namespace hookd::cli
