// An update of an endpoint: checked and converted once, and then applied on the committer's thread.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/field_mask.pb.h>

#include "base/model.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd {

// Immutable.
class EndpointUpdate {
 public:
  // Reads of `from` only what `mask` names; an unset field takes its default. INVALID_ARGUMENT for a bad
  // mask, and for what core/endpoint_rules.h refuses.
  static absl::StatusOr<EndpointUpdate> Make(const v1::Endpoint& from,
                                             const google::protobuf::FieldMask& mask);

  // Changes in `to` what the mask names; little work, whatever the request was. A secret header without a
  // value keeps the value that it has. INVALID_ARGUMENT leaves `to` in pieces: apply it to a copy.
  absl::Status Apply(Endpoint& to) const;

 private:
  std::vector<std::string> paths_;  // of the mask
  Endpoint values_;                 // what they name; the rest is valid, and has no meaning
};

}  // namespace hookd
