// Who may make which call of hookd.v1: one row per call, and a call without a row cannot be served.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>

#include "base/model.h"

namespace hookd {

// What a field of a request names; whose it is, is looked up.
enum class CallObject : uint8_t { kSubscriber, kEndpoint, kDelivery, kEvent, kJob, kBin };

struct CallField {
  CallObject object;
  std::string_view path;  // "id", "endpoint.subscriber_id"
};

// What becomes of a subscriber's call that names nobody's.
enum class WithoutOwner : uint8_t {
  kRefused,   // one of its fields is needed
  kFilledIn,  // about the token's subscriber, if it is bound to one; else it has to be named
  kNarrowed,  // the service answers with the subscribers' own
  kAllowed,   // there is nothing that is anybody's in it
};

struct CallRule {
  std::string_view call;  // "EndpointService/GetEndpoint"
  uint8_t roles;          // bits, by RoleBit
  // Of a token bound to subscribers: what is named here has to be theirs.
  std::vector<CallField> fields;
  WithoutOwner without = WithoutOwner::kRefused;
  std::string_view not_for_viewers = {};  // a flag that shows secrets
};

constexpr uint8_t RoleBit(TokenRole role) { return static_cast<uint8_t>(1u << static_cast<uint8_t>(role)); }

const std::vector<CallRule>& CallRules();
// Ends the process when there is none.
const CallRule& RuleOf(std::string_view call);

// Every service of hookd.v1 that is linked in.
std::vector<const google::protobuf::ServiceDescriptor*> PublicServices();
// Each of their calls has one rule, and every rule's fields are in its request. INTERNAL names what is wrong.
absl::Status CheckCallRules(const std::vector<const google::protobuf::ServiceDescriptor*>& services,
                            const std::vector<CallRule>& rules);

}  // namespace hookd
