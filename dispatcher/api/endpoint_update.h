// What makes an endpoint of a request: a new one, and an update of one. Checked and converted once, as far as
// that can be; then finished on the committer's thread, with the subscriber and the profile.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/field_mask.pb.h>

#include "base/model.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/engine/engine.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd {

// Immutable.
class NewEndpoint {
 public:
  // INVALID_ARGUMENT for what core/endpoint_rules.h refuses; of the policy, for what the model cannot hold.
  static absl::StatusOr<NewEndpoint> Make(const v1::Endpoint& from);

  // All but what Finish adds.
  const Endpoint& endpoint() const { return endpoint_; }

  // Its profile (its own or its subscriber's), settings and policy. Errors: as CreateEndpoint's.
  absl::Status Finish(const Profiles& profiles, const OwnerView& owner, Endpoint& to) const;

 private:
  Endpoint endpoint_;
  v1::DeliveryPolicy policy_;
};

// Immutable.
class EndpointUpdate {
 public:
  // Reads of `from` only what `mask` names; an unset field takes its default, or what the profile gives.
  // INVALID_ARGUMENT for a bad mask, and for what core/endpoint_rules.h refuses.
  static absl::StatusOr<EndpointUpdate> Make(const v1::Endpoint& from,
                                             const google::protobuf::FieldMask& mask);

  // Changes in `to` what the mask names; little work, whatever the request was. A secret header without a
  // value keeps the value that it has, and a URL that reads as the stored one, masked, is that one. An error
  // leaves `to` in pieces: apply it to a copy.
  absl::Status Apply(const Profiles& profiles, const OwnerView& owner, Endpoint& to) const;

 private:
  bool Names(absl::string_view path) const;
  absl::Status ApplySettings(const LoadedProfile* profile, Endpoint& to) const;
  absl::Status ApplyPolicy(const LoadedProfile* profile, Endpoint& to) const;
  absl::Status CheckConstraints(const Profiles& profiles, const LoadedProfile* profile,
                                const OwnerView& owner, const Endpoint& to) const;

  std::vector<std::string> paths_;  // of the mask
  bool names_policy_ = false;       // or a part of it
  Endpoint values_;                 // what they name; the rest is valid, and has no meaning
  v1::DeliveryPolicy policy_;
};

}  // namespace hookd
