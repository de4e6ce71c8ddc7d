// Between the API's delivery policy and base/model.h's. Pure functions; ranges are core/policy_rules.h's.
#pragma once

#include <absl/status/statusor.h>

#include "base/model.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd {

v1::DeliveryPolicy ToProto(const DeliveryPolicy& policy);

// A whole policy; what is unset is as in `unset`, and so is a zero that cannot be meant (max_in_flight,
// burst, factor, max_members). INVALID_ARGUMENT for what the model cannot hold.
absl::StatusOr<DeliveryPolicy> FromProto(const v1::DeliveryPolicy& proto, DeliveryPolicy unset = {});

}  // namespace hookd
