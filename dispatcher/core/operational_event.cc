#include "dispatcher/core/operational_event.h"

#include <array>
#include <optional>

#include <absl/strings/string_view.h>
#include <absl/time/time.h>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/concat.h"

namespace hookd {
namespace {

namespace json = boost::json;

constexpr const char* kTimeFormat = "%Y-%m-%dT%H:%M:%E3SZ";

std::string TimeText(WallMs time) {
  return absl::FormatTime(kTimeFormat, absl::FromUnixMillis(time), absl::UTCTimeZone());
}

json::string Json(std::string_view text) { return json::string(text.data(), text.size()); }

// The value that has this name, as ToString gives it; the first one = none has.
template <typename Enum, size_t n>
Enum Named(std::string_view name, const std::array<Enum, n>& all) {
  for (const Enum value : all) {
    if (ToString(value) == name) return value;
  }
  return all.front();
}

constexpr std::array kErrors = {ErrorKind::kNone,           ErrorKind::kStatus,         ErrorKind::kTimeout,
                                ErrorKind::kName,           ErrorKind::kConnect,        ErrorKind::kTls,
                                ErrorKind::kProtocol,       ErrorKind::kResponseTooBig, ErrorKind::kLocal,
                                ErrorKind::kRefusedAddress, ErrorKind::kToken};
constexpr std::array kReasons = {DisableReason::kNone,       DisableReason::kFailures,
                                 DisableReason::kGone,       DisableReason::kPerson,
                                 DisableReason::kUrlCleared, DisableReason::kUnverified};

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return "";
  const json::string& text = value->get_string();
  return {text.data(), text.size()};
}

int64_t Number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

WallMs Time(const json::object& object, std::string_view name) {
  const std::string text = Text(object, name);
  absl::Time time;
  std::string error;
  if (text.empty() || !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return 0;
  return absl::ToUnixMillis(time);
}

}  // namespace

std::string IncidentId(EndpointId endpoint, WallMs failing_since_ms) {
  return Concat(endpoint.ToString(), ".", failing_since_ms);
}

std::string OperationalPayload(const OperationalEvent& event) {
  json::object object;
  const auto put = [&object](const char* name, std::string_view text) {
    if (!text.empty()) object.emplace(name, Json(text));
  };
  put("type", event.type);
  object.emplace("time", Json(TimeText(event.at_ms)));
  put("message", std::string_view(event.message).substr(0, kMaxOperationalMessage));
  if (event.endpoint.value != 0) put("endpoint_id", event.endpoint.ToString());
  put("subscriber_id", event.subscriber_id);
  put("host", event.host);
  put("description", event.description);
  put("incident", event.incident);
  if (event.failures > 0) object.emplace("failures", event.failures);
  if (event.failing_since_ms != 0) object.emplace("failing_since", Json(TimeText(event.failing_since_ms)));
  if (event.last_status != 0) object.emplace("last_status", event.last_status);
  if (event.last_error != ErrorKind::kNone) put("last_error", ToString(event.last_error));
  if (event.disabled != DisableReason::kNone) put("disable_reason", ToString(event.disabled));
  if (event.mail_subscriber) object.emplace("mail_subscriber", true);
  put("delivery_id", event.delivery_id);
  put("event_id", event.event_id);
  return json::serialize(object);
}

absl::StatusOr<OperationalEvent> ParseOperationalPayload(std::string_view payload) {
  boost::system::error_code error;
  const json::value value = json::parse({payload.data(), payload.size()}, error);
  if (error || !value.is_object()) {
    return absl::InvalidArgumentError("payload: not the JSON object of an operational event");
  }
  const json::object& object = value.get_object();
  OperationalEvent event;
  event.type = Text(object, "type");
  if (event.type.empty()) {
    return absl::InvalidArgumentError("payload: not an operational event: it has no type");
  }
  event.at_ms = Time(object, "time");
  event.message = Text(object, "message");
  if (const absl::StatusOr<EndpointId> id = EndpointId::Parse(Text(object, "endpoint_id")); id.ok()) {
    event.endpoint = *id;
  }
  event.subscriber_id = Text(object, "subscriber_id");
  event.host = Text(object, "host");
  event.description = Text(object, "description");
  event.incident = Text(object, "incident");
  event.failures = static_cast<uint32_t>(Number(object, "failures"));
  event.failing_since_ms = Time(object, "failing_since");
  event.last_status = static_cast<int>(Number(object, "last_status"));
  event.last_error = Named(Text(object, "last_error"), kErrors);
  event.disabled = Named(Text(object, "disable_reason"), kReasons);
  const json::value* mail = object.if_contains("mail_subscriber");
  event.mail_subscriber = mail != nullptr && mail->is_bool() && mail->get_bool();
  event.delivery_id = Text(object, "delivery_id");
  event.event_id = Text(object, "event_id");
  return event;
}

Event MakeOperationalEvent(const OperationalEvent& event) {
  Event made;
  made.subscriber_id = std::string(kOperationsSubscriber);
  made.type = event.type;
  made.channel = event.subscriber_id;
  if (event.endpoint.value != 0) made.ordering_key = event.endpoint.ToString();
  made.payload = OperationalPayload(event);
  return made;
}

}  // namespace hookd
