#include "dispatcher/alerts/mail_text.h"

#include <absl/strings/str_format.h>
#include <absl/time/time.h>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/alerts/mail_message.h"

namespace hookd {
namespace {

constexpr std::string_view kDigest = "digest";
constexpr std::string_view kSubscriberPrefix = "subscriber-";
// Of a message in a line of a digest.
constexpr size_t kDigestLineBytes = 200;

// "endpoint.failing" -> "failing": the name of its template.
std::string_view ShortName(std::string_view type) { return type.substr(type.find('.') + 1); }

std::string TimeText(WallMs ms) {
  if (ms == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

std::string LastResult(const OperationalEvent& event) {
  if (event.last_status != 0) return Concat("HTTP status ", event.last_status);
  if (event.last_error != ErrorKind::kNone) return Concat("no answer (", ToString(event.last_error), ")");
  return "";
}

std::string Reason(DisableReason reason) {
  switch (reason) {
    case DisableReason::kFailures:
      return "too many attempts in a row failed";
    case DisableReason::kGone:
      return "it answered 410 (gone)";
    default:
      return "";
  }
}

bool DisabledByItself(DisableReason reason) {
  return reason == DisableReason::kFailures || reason == DisableReason::kGone;
}

MailValues ValuesOf(const OperationalEvent& event) {
  return {{"time", TimeText(event.at_ms)},
          {"message", OneLine(event.message)},
          {"endpoint_id", event.endpoint.value == 0 ? "" : event.endpoint.ToString()},
          {"subscriber_id", OneLine(event.subscriber_id)},
          {"host", OneLine(event.host)},
          {"description", OneLine(event.description)},
          {"incident", OneLine(event.incident)},
          {"failures", event.failures == 0 ? "" : std::to_string(event.failures)},
          {"failing_since", TimeText(event.failing_since_ms)},
          {"last_result", LastResult(event)},
          {"disable_reason", Reason(event.disabled)}};
}

// "2026-11-27 10:00:00 UTC  failing  ep_1  acme  example.com (shop): 10 attempts in a row failed"
std::string DigestLine(const OperationalEvent& event, bool for_operators) {
  std::string line = Concat(TimeText(event.at_ms), "  ", ShortName(event.type));
  if (event.endpoint.value != 0) line += Concat("  ", event.endpoint.ToString());
  if (for_operators && !event.subscriber_id.empty()) line += Concat("  ", event.subscriber_id);
  if (!event.host.empty()) line += Concat("  ", event.host);
  if (!event.description.empty()) line += Concat(" (", event.description, ")");
  if (!event.message.empty()) {
    const bool cut = event.message.size() > kDigestLineBytes;
    line += Concat(": ", std::string_view(event.message).substr(0, kDigestLineBytes), cut ? "..." : "");
  }
  return OneLine(line);
}

MailValues ValuesOf(const MailDigest& digest, bool for_operators) {
  std::string lines;
  for (const OperationalEvent& event : digest.events) {
    lines += Concat(lines.empty() ? "" : "\n", DigestLine(event, for_operators));
  }
  std::string summary;
  for (const auto& [type, count] : digest.types) {
    summary += Concat(summary.empty() ? "" : ", ", count, " ", ShortName(type));
  }
  const size_t more = digest.count - digest.events.size();
  return {{"count", std::to_string(digest.count)},
          {"summary", OneLine(summary)},
          {"first_time", TimeText(digest.first.accepted_ms())},
          {"last_time", TimeText(digest.last.accepted_ms())},
          {"events", lines},
          {"more", more == 0 ? "" : std::to_string(more)}};
}

}  // namespace

std::vector<std::string> GroupsOf(const OperationalEvent& event) {
  const bool endpoints_own = event.type == operational::kFailing || event.type == operational::kRecovered ||
                             (event.type == operational::kDisabled && DisabledByItself(event.disabled));
  const bool told = endpoints_own ||
                    (event.type == operational::kEnabled && DisabledByItself(event.disabled)) ||
                    event.type == operational::kBacklog || event.type == operational::kOutage ||
                    event.type == operational::kClock || event.type == operational::kDisk;
  std::vector<std::string> groups;
  if (told) groups.emplace_back(kOperatorsGroup);
  if (endpoints_own && event.mail_subscriber && !event.subscriber_id.empty()) {
    groups.push_back(event.subscriber_id);
  }
  return groups;
}

void MailDigest::Add(const EventId& id, const OperationalEvent& event) {
  if (count++ == 0) first = id;
  last = id;
  ++types[event.type];
  if (events.size() < kDigestNames) events.push_back(event);
}

MailTemplates::Wanted WantedTemplates() {
  std::vector<std::string_view> of_event = {"time",          "message",     "endpoint_id",   "subscriber_id",
                                            "host",          "description", "incident",      "failures",
                                            "failing_since", "last_result", "disable_reason"};
  const std::vector<std::string_view> of_digest = {"count",     "summary", "first_time",
                                                   "last_time", "events",  "more"};
  MailTemplates::Wanted wanted;
  for (const std::string_view type :
       {operational::kFailing, operational::kRecovered, operational::kDisabled, operational::kEnabled,
        operational::kBacklog, operational::kOutage, operational::kClock, operational::kDisk}) {
    wanted.emplace(ShortName(type), of_event);
  }
  for (const std::string_view type :
       {operational::kFailing, operational::kRecovered, operational::kDisabled}) {
    wanted.emplace(Concat(kSubscriberPrefix, ShortName(type)), of_event);
  }
  wanted.emplace(kDigest, of_digest);
  wanted.emplace(Concat(kSubscriberPrefix, kDigest), of_digest);
  return wanted;
}

MailText RenderMail(const MailTemplates& templates, std::string_view group, const MailDigest& digest) {
  HOOKD_CHECK(digest.count > 0, "a mail about nothing");
  const bool for_operators = group == kOperatorsGroup;
  const std::string_view prefix = for_operators ? "" : kSubscriberPrefix;
  if (digest.count == 1) {
    const OperationalEvent& event = digest.events.front();
    return templates.Fill(Concat(prefix, ShortName(event.type)), ValuesOf(event));
  }
  return templates.Fill(Concat(prefix, kDigest), ValuesOf(digest, for_operators));
}

std::string MessageId(const MailDigest& digest, std::string_view group, std::string_view address,
                      std::string_view domain) {
  const uint64_t recipient = StableHash(Concat(group, "\n", address));
  return Concat(digest.first.ToString(), ".", digest.last.ToString(), ".",
                absl::StrFormat("%016x", recipient), "@", domain);
}

std::string IncidentReference(const MailDigest& digest, std::string_view domain) {
  if (digest.count != 1 || digest.events.front().incident.empty()) return "";
  return OneLine(Concat(digest.events.front().incident, "@", domain));
}

}  // namespace hookd
