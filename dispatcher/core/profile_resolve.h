// What a profile makes of an endpoint. Pure functions; errors name the profile, the field and the rule.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "base/profile.h"
#include "dispatcher/core/profiles.h"

namespace hookd {

using Settings = std::map<std::string, bool>;

// `given` by names or aliases; the result by name, only those that differ from the profile's defaults.
// INVALID_ARGUMENT: an unknown name, or one setting under two names with two values.
absl::StatusOr<Settings> NormalSettings(const Profile& profile, const Settings& given);
// All settings of the profile. What it does not know any more stays.
Settings WholeSettings(const Profile& profile, const Settings& stored);

// The profile's policy with the effects of the settings over it, as it is stored.
DeliveryPolicy PolicyOf(const Profile& profile, const Settings& settings);
// The event types that the settings mute, each once.
std::vector<std::string> MutedTypes(const Profile& profile, const Settings& settings);

// The policy as it is stored: what is off has no other values.
void Normalise(DeliveryPolicy& policy);

// `wanted` differs from `given`, what the profile gives, only in fields that are overridable, and its timeout
// is not longer than the longest. INVALID_ARGUMENT "policy.mode: profile x does not let ...".
absl::Status CheckOverrides(const Profile& profile, const DeliveryPolicy& given,
                            const DeliveryPolicy& wanted);

// `to` was made under the settings `before` and is to have those of `after`: fields that the endpoint has set
// itself stay, where the profile lets it.
void ChangeSettings(const Profile& profile, const Settings& before, const Settings& after,
                    DeliveryPolicy& to);

// INVALID_ARGUMENT: scheme or port of the URL, which is valid otherwise.
absl::Status CheckUrlAllowed(const Profile& profile, const std::string& url, bool allow_http);
absl::Status CheckHeadersAllowed(const Profile& profile, const Endpoint& endpoint);
// INVALID_ARGUMENT: it names more channels than one. FAILED_PRECONDITION: its channel has as many endpoints
// as the profile lets it. `others`: of its subscriber, itself perhaps among them.
absl::Status CheckEndpointCount(const Profile& profile, const Endpoint& endpoint,
                                const std::map<EndpointId, std::shared_ptr<const Endpoint>>& others);
// FAILED_PRECONDITION: one of its event types, by its exact name, is not in the subscriber's plan.
absl::Status CheckTypesInPlan(const LoadedProfile& profile, std::string_view plan, const Endpoint& endpoint);

}  // namespace hookd
