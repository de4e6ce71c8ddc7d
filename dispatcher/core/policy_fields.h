// The fields of a delivery policy by the names that the API gives them.
#pragma once

#include <string>
#include <string_view>

#include <absl/types/span.h>

#include "base/model.h"

namespace hookd {

struct PolicyField {
  std::string_view name;
  bool (*same)(const DeliveryPolicy& a, const DeliveryPolicy& b);
  void (*copy)(const DeliveryPolicy& from, DeliveryPolicy& to);
};

// All of them.
absl::Span<const PolicyField> PolicyFields();
// Null = there is none of that name.
const PolicyField* FindPolicyField(std::string_view name);
// "mode, max_in_flight, ...".
std::string PolicyFieldNames();

}  // namespace hookd
