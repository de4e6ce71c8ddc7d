#include "dispatcher/core/policy_fields.h"

#include <algorithm>
#include <array>

namespace hookd {
namespace {

template <auto member>
constexpr PolicyField Field(std::string_view name) {
  return {name, [](const DeliveryPolicy& a, const DeliveryPolicy& b) { return a.*member == b.*member; },
          [](const DeliveryPolicy& from, DeliveryPolicy& to) { to.*member = from.*member; }};
}

constexpr std::array kFields = {
    Field<&DeliveryPolicy::mode>("mode"),
    Field<&DeliveryPolicy::max_in_flight>("max_in_flight"),
    Field<&DeliveryPolicy::timeout>("timeout"),
    Field<&DeliveryPolicy::success>("success_codes"),
    Field<&DeliveryPolicy::max_retries>("max_retries"),
    Field<&DeliveryPolicy::backoff>("backoff"),
    Field<&DeliveryPolicy::rate>("rate_limit"),
    Field<&DeliveryPolicy::retry_after_max>("retry_after_max"),
    Field<&DeliveryPolicy::alert_after>("alert_after"),
    Field<&DeliveryPolicy::disable>("auto_disable"),
    Field<&DeliveryPolicy::backlog>("backlog"),
    Field<&DeliveryPolicy::http_version>("http_version"),
    Field<&DeliveryPolicy::keep_all_bodies>("kept_bodies"),
    Field<&DeliveryPolicy::batch>("batch"),
    Field<&DeliveryPolicy::coalesce>("coalesce"),
    Field<&DeliveryPolicy::mail_subscriber>("mail_subscriber"),
    Field<&DeliveryPolicy::probe>("auto_probe"),
};

}  // namespace

absl::Span<const PolicyField> PolicyFields() { return kFields; }

const PolicyField* FindPolicyField(std::string_view name) {
  const auto* found = std::find_if(kFields.begin(), kFields.end(),
                                   [name](const PolicyField& field) { return field.name == name; });
  return found == kFields.end() ? nullptr : found;
}

std::string PolicyFieldNames() {
  std::string names;
  for (const PolicyField& field : kFields) {
    if (!names.empty()) names += ", ";
    names += field.name;
  }
  return names;
}

}  // namespace hookd
