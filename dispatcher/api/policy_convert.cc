#include "dispatcher/api/policy_convert.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/time_convert.h"

namespace hookd {
namespace {

// Longer lists are refused before they are converted; core/policy_rules.h has the bounds of shorter ones.
constexpr int kMaxListEntries = 1000;

absl::Status CheckCount(absl::string_view field, int count) {
  if (count <= kMaxListEntries) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": there are ", count, " entries, which is too many"));
}

absl::Status UnknownNumber(absl::string_view field, int number, absl::string_view use) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", number, " is unknown, use ", use));
}

// Leaves `to` as it is when `proto` is unset.
template <typename Message>
absl::Status Take(const Message& message, bool (Message::*has)() const,
                  const google::protobuf::Duration& (Message::*get)() const, absl::string_view field,
                  Millis& to) {
  if (!(message.*has)()) return absl::OkStatus();
  ASSIGN_OR_RETURN(to, FromDuration((message.*get)(), field));
  return absl::OkStatus();
}

template <typename Message>
absl::Status TakeStep(const Message& message, Backoff& backoff) {
  return Take(message, &Message::has_step, &Message::step, "policy.backoff.step", backoff.step);
}

template <typename Message>
absl::Status TakeCap(const Message& message, Backoff& backoff) {
  return Take(message, &Message::has_cap, &Message::cap, "policy.backoff.cap", backoff.cap);
}

v1::Backoff ToProto(const Backoff& backoff) {
  v1::Backoff proto;
  switch (backoff.kind) {
    case BackoffKind::kLinear:
      *proto.mutable_linear()->mutable_step() = ToDuration(backoff.step);
      *proto.mutable_linear()->mutable_cap() = ToDuration(backoff.cap);
      break;
    case BackoffKind::kFixed:
      *proto.mutable_fixed()->mutable_step() = ToDuration(backoff.step);
      break;
    case BackoffKind::kExponential:
      *proto.mutable_exponential()->mutable_step() = ToDuration(backoff.step);
      *proto.mutable_exponential()->mutable_cap() = ToDuration(backoff.cap);
      proto.mutable_exponential()->set_factor(backoff.factor);
      break;
    case BackoffKind::kSchedule:
      for (Millis wait : backoff.schedule) *proto.mutable_schedule()->add_waits() = ToDuration(wait);
      break;
  }
  proto.set_jitter(backoff.jitter);
  proto.set_exact_first(backoff.exact_first);
  return proto;
}

BackoffKind KindOf(v1::Backoff::KindCase kind, BackoffKind unset) {
  switch (kind) {
    case v1::Backoff::KIND_NOT_SET:
      return unset;
    case v1::Backoff::kLinear:
      return BackoffKind::kLinear;
    case v1::Backoff::kFixed:
      return BackoffKind::kFixed;
    case v1::Backoff::kExponential:
      return BackoffKind::kExponential;
    case v1::Backoff::kSchedule:
      return BackoffKind::kSchedule;
  }
  return unset;
}

absl::Status Take(const v1::Backoff& proto, Backoff& backoff) {
  // What another kind waits is no default for this one.
  if (const BackoffKind kind = KindOf(proto.kind_case(), backoff.kind); kind != backoff.kind) {
    Backoff other;
    other.kind = kind;
    other.jitter = backoff.jitter;
    other.exact_first = backoff.exact_first;
    backoff = other;
  }
  switch (proto.kind_case()) {
    case v1::Backoff::KIND_NOT_SET:
      break;
    case v1::Backoff::kLinear:
      RETURN_IF_ERROR(TakeStep(proto.linear(), backoff));
      RETURN_IF_ERROR(TakeCap(proto.linear(), backoff));
      break;
    case v1::Backoff::kFixed:
      RETURN_IF_ERROR(TakeStep(proto.fixed(), backoff));
      break;
    case v1::Backoff::kExponential:
      RETURN_IF_ERROR(TakeStep(proto.exponential(), backoff));
      RETURN_IF_ERROR(TakeCap(proto.exponential(), backoff));
      if (proto.exponential().factor() != 0) backoff.factor = proto.exponential().factor();
      break;
    case v1::Backoff::kSchedule:
      RETURN_IF_ERROR(CheckCount("policy.backoff.schedule", proto.schedule().waits_size()));
      backoff.schedule.clear();
      for (const google::protobuf::Duration& wait : proto.schedule().waits()) {
        ASSIGN_OR_RETURN(const Millis millis, FromDuration(wait, absl::StrCat("policy.backoff.schedule[",
                                                                              backoff.schedule.size(), "]")));
        backoff.schedule.push_back(millis);
      }
      break;
  }
  if (proto.has_jitter()) backoff.jitter = proto.jitter();
  if (proto.has_exact_first()) backoff.exact_first = proto.exact_first();
  return absl::OkStatus();
}

absl::Status Take(const v1::AutoDisable& proto, AutoDisable& disable) {
  if (proto.has_failures()) disable.failures = proto.failures();
  RETURN_IF_ERROR(Take(proto, &v1::AutoDisable::has_span, &v1::AutoDisable::span, "policy.auto_disable.span",
                       disable.span));
  if (proto.has_on_gone()) disable.on_gone = proto.on_gone();
  if (proto.has_count_429()) disable.count_429 = proto.count_429();
  return absl::OkStatus();
}

absl::Status Take(const v1::RateLimit& proto, RateLimit& rate) {
  if (proto.has_per_second()) rate.per_second = proto.per_second();
  if (proto.burst() != 0) rate.burst = proto.burst();
  switch (proto.unit()) {
    case v1::RATE_UNIT_UNSPECIFIED:
      return absl::OkStatus();
    case v1::RATE_UNIT_REQUEST:
    case v1::RATE_UNIT_MEMBER:
      rate.unit = static_cast<RateUnit>(proto.unit());
      return absl::OkStatus();
    default:
      return UnknownNumber("policy.rate_limit.unit", proto.unit(), "RATE_UNIT_REQUEST or RATE_UNIT_MEMBER");
  }
}

// A batch that is there says what is batched, if only nothing.
absl::Status Take(const v1::Batch& proto, BatchPolicy& batch) {
  RETURN_IF_ERROR(CheckCount("policy.batch.event_types", proto.event_types_size()));
  batch.event_types.assign(proto.event_types().begin(), proto.event_types().end());
  if (proto.max_members() != 0) batch.max_members = proto.max_members();
  return Take(proto, &v1::Batch::has_linger, &v1::Batch::linger, "policy.batch.linger", batch.linger);
}

absl::Status Take(const v1::AutoProbe& proto, AutoProbe& probe) {
  RETURN_IF_ERROR(
      Take(proto, &v1::AutoProbe::has_first, &v1::AutoProbe::first, "policy.auto_probe.first", probe.first));
  return Take(proto, &v1::AutoProbe::has_cap, &v1::AutoProbe::cap, "policy.auto_probe.cap", probe.cap);
}

absl::Status Take(v1::DeliveryMode mode, DeliveryMode& to) {
  switch (mode) {
    case v1::DELIVERY_MODE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::DELIVERY_MODE_ORDERED:
    case v1::DELIVERY_MODE_PARALLEL:
    case v1::DELIVERY_MODE_KEYED:
      to = static_cast<DeliveryMode>(mode);
      return absl::OkStatus();
    default:
      return UnknownNumber("policy.mode", mode,
                           "DELIVERY_MODE_ORDERED, DELIVERY_MODE_KEYED or DELIVERY_MODE_PARALLEL");
  }
}

absl::Status Take(v1::HttpVersion version, HttpVersion& to) {
  switch (version) {
    case v1::HTTP_VERSION_UNSPECIFIED:
      return absl::OkStatus();
    case v1::HTTP_VERSION_1_1:
    case v1::HTTP_VERSION_2:
      to = static_cast<HttpVersion>(version);
      return absl::OkStatus();
    default:
      return UnknownNumber("policy.http_version", version, "HTTP_VERSION_1_1 or HTTP_VERSION_2");
  }
}

absl::Status Take(v1::KeptBodies kept, bool& all) {
  switch (kept) {
    case v1::KEPT_BODIES_UNSPECIFIED:
      return absl::OkStatus();
    case v1::KEPT_BODIES_FAILURES:
    case v1::KEPT_BODIES_ALL:
      all = kept == v1::KEPT_BODIES_ALL;
      return absl::OkStatus();
    default:
      return UnknownNumber("policy.kept_bodies", kept, "KEPT_BODIES_FAILURES or KEPT_BODIES_ALL");
  }
}

}  // namespace

v1::DeliveryPolicy ToProto(const DeliveryPolicy& policy) {
  v1::DeliveryPolicy proto;
  proto.set_mode(static_cast<v1::DeliveryMode>(policy.mode));
  proto.set_max_in_flight(policy.max_in_flight);
  *proto.mutable_timeout() = ToDuration(policy.timeout);
  for (const StatusRange& range : policy.success) {
    v1::StatusRange& added = *proto.add_success_codes();
    added.set_first(range.first);
    added.set_last(range.last);
  }
  proto.set_max_retries(policy.max_retries);
  *proto.mutable_backoff() = ToProto(policy.backoff);
  proto.mutable_rate_limit()->set_per_second(policy.rate.per_second);
  proto.mutable_rate_limit()->set_burst(policy.rate.burst);
  proto.mutable_rate_limit()->set_unit(static_cast<v1::RateUnit>(policy.rate.unit));
  *proto.mutable_retry_after_max() = ToDuration(policy.retry_after_max);
  proto.set_alert_after(policy.alert_after);
  proto.mutable_auto_disable()->set_failures(policy.disable.failures);
  *proto.mutable_auto_disable()->mutable_span() = ToDuration(policy.disable.span);
  proto.mutable_auto_disable()->set_on_gone(policy.disable.on_gone);
  proto.mutable_auto_disable()->set_count_429(policy.disable.count_429);
  proto.set_backlog(policy.backlog);
  proto.set_http_version(static_cast<v1::HttpVersion>(policy.http_version));
  proto.set_kept_bodies(policy.keep_all_bodies ? v1::KEPT_BODIES_ALL : v1::KEPT_BODIES_FAILURES);
  for (const std::string& type : policy.batch.event_types) proto.mutable_batch()->add_event_types(type);
  proto.mutable_batch()->set_max_members(policy.batch.max_members);
  *proto.mutable_batch()->mutable_linger() = ToDuration(policy.batch.linger);
  proto.set_coalesce(policy.coalesce);
  proto.set_mail_subscriber(policy.mail_subscriber);
  *proto.mutable_auto_probe()->mutable_first() = ToDuration(policy.probe.first);
  *proto.mutable_auto_probe()->mutable_cap() = ToDuration(policy.probe.cap);
  return proto;
}

absl::StatusOr<DeliveryPolicy> FromProto(const v1::DeliveryPolicy& proto, DeliveryPolicy policy) {
  RETURN_IF_ERROR(Take(proto.mode(), policy.mode));
  if (proto.max_in_flight() != 0) policy.max_in_flight = proto.max_in_flight();
  RETURN_IF_ERROR(Take(proto, &v1::DeliveryPolicy::has_timeout, &v1::DeliveryPolicy::timeout,
                       "policy.timeout", policy.timeout));
  RETURN_IF_ERROR(CheckCount("policy.success_codes", proto.success_codes_size()));
  if (!proto.success_codes().empty()) policy.success.clear();
  for (const v1::StatusRange& range : proto.success_codes()) {
    policy.success.push_back({range.first(), range.last()});
  }
  if (proto.has_max_retries()) policy.max_retries = proto.max_retries();
  RETURN_IF_ERROR(Take(proto.backoff(), policy.backoff));
  RETURN_IF_ERROR(Take(proto.rate_limit(), policy.rate));
  RETURN_IF_ERROR(Take(proto, &v1::DeliveryPolicy::has_retry_after_max, &v1::DeliveryPolicy::retry_after_max,
                       "policy.retry_after_max", policy.retry_after_max));
  if (proto.has_alert_after()) policy.alert_after = proto.alert_after();
  RETURN_IF_ERROR(Take(proto.auto_disable(), policy.disable));
  if (proto.has_backlog()) policy.backlog = proto.backlog();
  RETURN_IF_ERROR(Take(proto.http_version(), policy.http_version));
  RETURN_IF_ERROR(Take(proto.kept_bodies(), policy.keep_all_bodies));
  if (proto.has_batch()) RETURN_IF_ERROR(Take(proto.batch(), policy.batch));
  if (proto.has_coalesce()) policy.coalesce = proto.coalesce();
  if (proto.has_mail_subscriber()) policy.mail_subscriber = proto.mail_subscriber();
  if (proto.has_auto_probe()) RETURN_IF_ERROR(Take(proto.auto_probe(), policy.probe));
  return policy;
}

}  // namespace hookd
