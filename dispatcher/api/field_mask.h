// What an update may change.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <google/protobuf/field_mask.pb.h>

namespace hookd {

// OK when `mask` names at least one path, only `allowed` ones, and each once. Quick for a mask of any length.
// INVALID_ARGUMENT lists the allowed paths.
absl::Status CheckFieldMask(const google::protobuf::FieldMask& mask,
                            absl::Span<const absl::string_view> allowed);

}  // namespace hookd
