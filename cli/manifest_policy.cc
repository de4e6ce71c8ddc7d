#include "cli/manifest_policy.h"

#include <limits>

#include "base/status_macros.h"
#include "cli/parse.h"
#include "cli/words.h"

namespace hookd::cli {
namespace {

// Defaults of parts, as endpoint_service.proto has them.
constexpr double kDefaultJitter = 0.1;
constexpr uint32_t kDefaultBurst = 5;
constexpr uint32_t kDefaultFailures = 60;
constexpr int64_t kDefaultSpanSeconds = 3600;
constexpr double kDefaultFactor = 2;
constexpr uint32_t kDefaultMembers = 25;
constexpr int64_t kDefaultLingerSeconds = 1;
constexpr int64_t kDefaultProbeCapSeconds = 3600;

absl::Status ReadDuration(const YamlValue& value, google::protobuf::Duration& duration) {
  ASSIGN_OR_RETURN(const std::string text, value.Text());
  const auto parsed = ParseDuration(text);
  if (!parsed) return value.Fault("is not a duration: write it like 500ms, 30s, 15m or 1h");
  duration = *parsed;
  return absl::OkStatus();
}

absl::Status ReadBackoff(const YamlValue& value, v1::Backoff& backoff) {
  ASSIGN_OR_RETURN(const std::string text, value.Text());
  const auto parsed = ParseBackoff(text);
  if (!parsed) {
    return value.Fault(
        "is not a backoff: write linear:STEP:CAP, fixed:STEP, exponential:STEP:CAP:FACTOR or "
        "schedule:WAIT,WAIT, with :JITTER or without, and :exact behind it or not");
  }
  backoff = *parsed;
  if (!backoff.has_jitter()) backoff.set_jitter(kDefaultJitter);
  backoff.set_exact_first(backoff.exact_first());
  if (backoff.has_exponential() && backoff.exponential().factor() == 0) {
    backoff.mutable_exponential()->set_factor(kDefaultFactor);
  }
  return absl::OkStatus();
}

absl::Status ReadRate(const YamlValue& value, v1::RateLimit& rate) {
  ASSIGN_OR_RETURN(const std::string text, value.Text());
  const auto parsed = ParseRateLimit(text);
  if (!parsed)
    return value.Fault(
        "is not a rate: write PER_SECOND or \"PER_SECOND:BURST\", such as \"5:5\", with :member or without");
  rate = *parsed;
  if (rate.burst() == 0) rate.set_burst(kDefaultBurst);
  if (rate.unit() == v1::RATE_UNIT_UNSPECIFIED) rate.set_unit(v1::RATE_UNIT_REQUEST);
  return absl::OkStatus();
}

absl::Status ReadAutoDisable(const YamlValue& value, v1::AutoDisable& disable) {
  disable.set_failures(kDefaultFailures);
  disable.mutable_span()->set_seconds(kDefaultSpanSeconds);
  disable.set_on_gone(true);
  disable.set_count_429(false);
  return value.EachKey([&disable](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "failures") {
      ASSIGN_OR_RETURN(const uint64_t failures, part.Number(std::numeric_limits<uint32_t>::max()));
      disable.set_failures(static_cast<uint32_t>(failures));
      return absl::OkStatus();
    }
    if (key == "span") return ReadDuration(part, *disable.mutable_span());
    if (key == "on_gone") {
      ASSIGN_OR_RETURN(const bool on_gone, part.Bool());
      disable.set_on_gone(on_gone);
      return absl::OkStatus();
    }
    if (key == "count_429") {
      ASSIGN_OR_RETURN(const bool count_429, part.Bool());
      disable.set_count_429(count_429);
      return absl::OkStatus();
    }
    return part.UnknownKey("failures, span, on_gone, count_429");
  });
}

absl::Status ReadBatch(const YamlValue& value, v1::Batch& batch) {
  batch.set_max_members(kDefaultMembers);
  batch.mutable_linger()->set_seconds(kDefaultLingerSeconds);
  return value.EachKey([&batch](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "event_types") {
      return part.EachItem([&batch](const YamlValue& item) -> absl::Status {
        ASSIGN_OR_RETURN(*batch.add_event_types(), item.Text());
        return absl::OkStatus();
      });
    }
    if (key == "max_members") {
      ASSIGN_OR_RETURN(const uint64_t members, part.Number(std::numeric_limits<uint32_t>::max()));
      batch.set_max_members(static_cast<uint32_t>(members));
      return absl::OkStatus();
    }
    if (key == "linger") return ReadDuration(part, *batch.mutable_linger());
    return part.UnknownKey("event_types, max_members, linger");
  });
}

absl::Status ReadProbe(const YamlValue& value, v1::AutoProbe& probe) {
  ASSIGN_OR_RETURN(const std::string text, value.Text());
  const auto parsed = ParseAutoProbe(text);
  if (!parsed) return value.Fault("is no probe: write FIRST or FIRST:CAP, such as 5m:1h, or never");
  probe = *parsed;
  if (!probe.has_cap()) probe.mutable_cap()->set_seconds(kDefaultProbeCapSeconds);
  return absl::OkStatus();
}

absl::Status ReadSuccess(const YamlValue& value, v1::DeliveryPolicy& policy) {
  return value.EachItem([&policy](const YamlValue& item) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string text, item.Text());
    const auto range = ParseStatusRange(text);
    if (!range) return item.Fault("is no status code or range: write 200 or 200-209");
    *policy.add_success_codes() = *range;
    return absl::OkStatus();
  });
}

template <typename Set>
absl::Status ReadNumber(const YamlValue& value, uint64_t max, Set set) {
  ASSIGN_OR_RETURN(const uint64_t number, value.Number(max));
  set(number);
  return absl::OkStatus();
}

template <typename Set>
absl::Status ReadFlag(const YamlValue& value, Set set) {
  ASSIGN_OR_RETURN(const bool on, value.Bool());
  set(on);
  return absl::OkStatus();
}

template <typename Enum, typename Set>
absl::Status ReadWord(const YamlValue& value, Set set) {
  ASSIGN_OR_RETURN(const std::string word, value.OneOf(Words<Enum>()));
  set(FromWord<Enum>(word));
  return absl::OkStatus();
}

absl::Status ReadHttp(const YamlValue& value, v1::DeliveryPolicy& policy) {
  ASSIGN_OR_RETURN(const std::string version, value.OneOf({"1.1", "2"}));
  policy.set_http_version(version == "2" ? v1::HTTP_VERSION_2 : v1::HTTP_VERSION_1_1);
  return absl::OkStatus();
}

absl::Status ReadField(const std::string& key, const YamlValue& value, v1::DeliveryPolicy& policy) {
  const auto small = [&](auto set) {
    return ReadNumber(value, std::numeric_limits<uint32_t>::max(),
                      [&](uint64_t n) { set(static_cast<uint32_t>(n)); });
  };
  if (key == "mode") return ReadWord<v1::DeliveryMode>(value, [&](auto mode) { policy.set_mode(mode); });
  if (key == "max_in_flight") return small([&](uint32_t n) { policy.set_max_in_flight(n); });
  if (key == "timeout") return ReadDuration(value, *policy.mutable_timeout());
  if (key == "success_codes") return ReadSuccess(value, policy);
  if (key == "max_retries") return small([&](uint32_t n) { policy.set_max_retries(n); });
  if (key == "backoff") return ReadBackoff(value, *policy.mutable_backoff());
  if (key == "rate_limit") return ReadRate(value, *policy.mutable_rate_limit());
  if (key == "retry_after_max") return ReadDuration(value, *policy.mutable_retry_after_max());
  if (key == "alert_after") return small([&](uint32_t n) { policy.set_alert_after(n); });
  if (key == "auto_disable") return ReadAutoDisable(value, *policy.mutable_auto_disable());
  if (key == "backlog") {
    return ReadNumber(value, std::numeric_limits<int64_t>::max(), [&](uint64_t n) { policy.set_backlog(n); });
  }
  if (key == "http_version") return ReadHttp(value, policy);
  if (key == "kept_bodies") {
    return ReadWord<v1::KeptBodies>(value, [&](auto kept) { policy.set_kept_bodies(kept); });
  }
  if (key == "batch") return ReadBatch(value, *policy.mutable_batch());
  if (key == "coalesce") return ReadFlag(value, [&](bool on) { policy.set_coalesce(on); });
  if (key == "mail_subscriber") return ReadFlag(value, [&](bool on) { policy.set_mail_subscriber(on); });
  if (key == "auto_probe") return ReadProbe(value, *policy.mutable_auto_probe());
  return value.UnknownKey(
      "mode, max_in_flight, timeout, success_codes, max_retries, backoff, rate_limit, retry_after_max, "
      "alert_after, auto_disable, backlog, http_version, kept_bodies, batch, coalesce, mail_subscriber, "
      "auto_probe");
}

}  // namespace

absl::Status ReadPolicy(const YamlValue& value, v1::DeliveryPolicy& policy, std::vector<std::string>& paths) {
  return value.EachKey([&](const std::string& key, const YamlValue& field) -> absl::Status {
    RETURN_IF_ERROR(ReadField(key, field, policy));
    paths.push_back("policy." + key);
    return absl::OkStatus();
  });
}

}  // namespace hookd::cli
