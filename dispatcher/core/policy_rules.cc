#include "dispatcher/core/policy_rules.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/filter.h"

namespace hookd {
namespace {

constexpr Millis kMinTimeout{100};
constexpr Millis kMaxTimeout{120'000};
constexpr Millis kMinBackoffStep{100};
constexpr Millis kMaxBackoff{24 * 3'600'000};
constexpr uint32_t kMaxInFlight = 1000;
constexpr uint32_t kMaxRetries = 1000;
constexpr uint32_t kMaxRate = 10'000;
constexpr size_t kMaxSuccessRanges = 16;
constexpr double kMaxBackoffFactor = 10;
constexpr size_t kMaxScheduleEntries = 64;
constexpr Millis kMaxRetryAfterMax{24 * 3'600'000};
constexpr uint32_t kMaxAlertAfter = 100'000;
constexpr uint32_t kMaxDisableFailures = 100'000;
constexpr Millis kMaxDisableSpan{int64_t{30} * 24 * 3'600'000};
constexpr uint64_t kMaxBacklog = 1'000'000'000;
constexpr Millis kMaxLinger{60'000};
constexpr Millis kMinProbe{60'000};
constexpr Millis kMaxProbe{24 * 3'600'000};

std::string Text(Millis value) {
  const int64_t ms = value.count();
  if (ms == 0 || ms % 1000 != 0) return Concat(ms, "ms");
  if (ms % 3'600'000 == 0) return Concat(ms / 3'600'000, "h");
  if (ms == 60'000) return "1m";
  return Concat(ms / 1000, "s");
}
std::string Text(double value) { return absl::StrCat(value); }
std::string Text(uint64_t value) { return std::to_string(value); }
std::string Text(uint32_t value) { return std::to_string(value); }

// Written so that NaN is out of every range.
template <typename T>
absl::Status CheckRange(std::string_view field, T value, T min, T max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat("policy.", field, ": ", Text(value), " is out of range, use ", Text(min), " to ", Text(max)));
}

absl::Status CheckSuccess(const std::vector<StatusRange>& ranges) {
  if (ranges.empty() || ranges.size() > kMaxSuccessRanges) {
    return absl::InvalidArgumentError(
        Concat("policy.success_codes: there are ", ranges.size(), " ranges, use 1 to ", kMaxSuccessRanges));
  }
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto [first, last] = ranges[i];
    if (first < 100 || last > 599 || first > last) {
      return absl::InvalidArgumentError(Concat("policy.success_codes[", i, "]: ", first, " to ", last,
                                               " is not a range, use 100 to 599 with first not above last"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSchedule(const std::vector<Millis>& schedule) {
  if (schedule.empty() || schedule.size() > kMaxScheduleEntries) {
    return absl::InvalidArgumentError(Concat("policy.backoff.schedule: there are ", schedule.size(),
                                             " entries, use 1 to ", kMaxScheduleEntries));
  }
  for (size_t i = 0; i < schedule.size(); ++i) {
    RETURN_IF_ERROR(
        CheckRange(Concat("backoff.schedule[", i, "]"), schedule[i], kMinBackoffStep, kMaxBackoff));
  }
  return absl::OkStatus();
}

// What the kind does not use may be anything.
absl::Status CheckBackoff(const Backoff& backoff) {
  RETURN_IF_ERROR(CheckRange("backoff.jitter", backoff.jitter, 0.0, 1.0));
  switch (backoff.kind) {
    case BackoffKind::kSchedule:
      return CheckSchedule(backoff.schedule);
    case BackoffKind::kFixed:
      return CheckRange("backoff.step", backoff.step, kMinBackoffStep, kMaxBackoff);
    case BackoffKind::kExponential:
      RETURN_IF_ERROR(CheckRange("backoff.factor", backoff.factor, 1.0, kMaxBackoffFactor));
      [[fallthrough]];
    case BackoffKind::kLinear:
      RETURN_IF_ERROR(CheckRange("backoff.step", backoff.step, kMinBackoffStep, kMaxBackoff));
      return CheckRange("backoff.cap", backoff.cap, backoff.step, kMaxBackoff);
  }
  return absl::InvalidArgumentError(
      "policy.backoff.kind: is unknown, use LINEAR, FIXED, EXPONENTIAL or SCHEDULE");
}

absl::Status CheckBatch(const BatchPolicy& batch) {
  RETURN_IF_ERROR(CheckPatterns("policy.batch.event_types", batch.event_types));
  RETURN_IF_ERROR(CheckRange("batch.max_members", batch.max_members, 1U, kMaxBatchMembers));
  return CheckRange("batch.linger", batch.linger, Millis(0), kMaxLinger);
}

absl::Status CheckProbe(const AutoProbe& probe) {
  if (probe.first == Millis(0)) return absl::OkStatus();
  RETURN_IF_ERROR(CheckRange("auto_probe.first", probe.first, kMinProbe, kMaxProbe));
  return CheckRange("auto_probe.cap", probe.cap, probe.first, kMaxProbe);
}

}  // namespace

absl::Status CheckPolicy(const DeliveryPolicy& policy) {
  if (policy.mode != DeliveryMode::kOrdered && policy.mode != DeliveryMode::kParallel &&
      policy.mode != DeliveryMode::kKeyed) {
    return absl::InvalidArgumentError("policy.mode: is unknown, use ORDERED, KEYED or PARALLEL");
  }
  RETURN_IF_ERROR(CheckRange("max_in_flight", policy.max_in_flight, 1U, kMaxInFlight));
  RETURN_IF_ERROR(CheckRange("timeout", policy.timeout, kMinTimeout, kMaxTimeout));
  RETURN_IF_ERROR(CheckSuccess(policy.success));
  RETURN_IF_ERROR(CheckRange("max_retries", policy.max_retries, 0U, kMaxRetries));
  RETURN_IF_ERROR(CheckBackoff(policy.backoff));
  RETURN_IF_ERROR(CheckRange("rate_limit.per_second", policy.rate.per_second, 0U, kMaxRate));
  RETURN_IF_ERROR(CheckRange("rate_limit.burst", policy.rate.burst, 1U, kMaxRate));
  RETURN_IF_ERROR(CheckRange("retry_after_max", policy.retry_after_max, Millis(0), kMaxRetryAfterMax));
  RETURN_IF_ERROR(CheckRange("alert_after", policy.alert_after, 0U, kMaxAlertAfter));
  RETURN_IF_ERROR(CheckRange("auto_disable.failures", policy.disable.failures, 0U, kMaxDisableFailures));
  RETURN_IF_ERROR(CheckRange("auto_disable.span", policy.disable.span, Millis(0), kMaxDisableSpan));
  RETURN_IF_ERROR(CheckRange("backlog", policy.backlog, uint64_t{0}, kMaxBacklog));
  if (policy.http_version != HttpVersion::kHttp11 && policy.http_version != HttpVersion::kHttp2) {
    return absl::InvalidArgumentError("policy.http_version: is unknown, use 1.1 or 2");
  }
  if (policy.rate.unit != RateUnit::kRequest && policy.rate.unit != RateUnit::kMember) {
    return absl::InvalidArgumentError("policy.rate_limit.unit: is unknown, use REQUEST or MEMBER");
  }
  RETURN_IF_ERROR(CheckBatch(policy.batch));
  return CheckProbe(policy.probe);
}

}  // namespace hookd
