#include "dispatcher/core/profile_resolve.h"

#include <algorithm>
#include <set>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_join.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/policy_fields.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

const ProfileSetting* FindSetting(const Profile& profile, const std::string& called) {
  for (const ProfileSetting& setting : profile.settings) {
    const std::vector<std::string>& aliases = setting.aliases;
    if (setting.name == called || std::find(aliases.begin(), aliases.end(), called) != aliases.end())
      return &setting;
  }
  return nullptr;
}

const ProfileEffect& EffectOf(const ProfileSetting& setting, const Settings& settings) {
  const auto said = settings.find(setting.name);
  return (said == settings.end() ? setting.on : said->second) ? setting.when_on : setting.when_off;
}

bool IsOverridable(const Profile& profile, std::string_view field) {
  return std::find(profile.overridable.begin(), profile.overridable.end(), field) !=
         profile.overridable.end();
}

// Endpoints that serve `channel`; empty = those that serve every channel.
size_t Serving(const std::string& channel, const std::vector<const Endpoint*>& endpoints) {
  return static_cast<size_t>(std::count_if(
      endpoints.begin(), endpoints.end(),
      [&channel](const Endpoint* one) { return one->channels.empty() || one->channels.front() == channel; }));
}

}  // namespace

absl::StatusOr<Settings> NormalSettings(const Profile& profile, const Settings& given) {
  Settings settings;
  std::set<std::string> said;
  for (const auto& [called, on] : given) {
    const ProfileSetting* setting = FindSetting(profile, called);
    if (setting == nullptr) {
      std::vector<std::string> names;
      for (const ProfileSetting& one : profile.settings) names.push_back(one.name);
      return absl::InvalidArgumentError(
          Concat("settings: profile ", profile.name, " has no ", absl::CHexEscape(called.substr(0, 64)), ", ",
                 names.empty() ? std::string("it has none") : Concat("use ", absl::StrJoin(names, ", "))));
    }
    const bool before = settings.contains(setting->name) ? settings[setting->name] : setting->on;
    if (!said.insert(setting->name).second && before != on) {
      return absl::InvalidArgumentError(Concat(
          "settings: ", setting->name, " is said to be both on and off, under two names: say it once"));
    }
    if (on != setting->on) settings[setting->name] = on;
  }
  return settings;
}

Settings WholeSettings(const Profile& profile, const Settings& stored) {
  Settings whole = stored;
  for (const ProfileSetting& setting : profile.settings) whole.try_emplace(setting.name, setting.on);
  return whole;
}

DeliveryPolicy PolicyOf(const Profile& profile, const Settings& settings) {
  DeliveryPolicy policy = profile.policy;
  for (const ProfileSetting& setting : profile.settings) {
    const ProfileEffect& effect = EffectOf(setting, settings);
    if (effect.mode) policy.mode = *effect.mode;
    if (effect.max_in_flight) policy.max_in_flight = *effect.max_in_flight;
    if (effect.max_retries) policy.max_retries = *effect.max_retries;
  }
  Normalise(policy);
  return policy;
}

std::vector<std::string> MutedTypes(const Profile& profile, const Settings& settings) {
  std::set<std::string> muted;
  for (const ProfileSetting& setting : profile.settings) {
    const std::vector<std::string>& mutes = EffectOf(setting, settings).mutes;
    muted.insert(mutes.begin(), mutes.end());
  }
  return {muted.begin(), muted.end()};
}

void Normalise(DeliveryPolicy& policy) {
  if (policy.batch.event_types.empty()) policy.batch = BatchPolicy();
  if (policy.probe.first == Millis(0)) policy.probe = AutoProbe();
}

absl::Status CheckOverrides(const Profile& profile, const DeliveryPolicy& given,
                            const DeliveryPolicy& wanted) {
  for (const PolicyField& field : PolicyFields()) {
    if (field.same(given, wanted) || IsOverridable(profile, field.name)) continue;
    return absl::InvalidArgumentError(Concat(
        "policy.", field.name, ": profile ", profile.name, " does not let an endpoint set it, leave it out; ",
        profile.overridable.empty() ? std::string("it lets it set nothing")
                                    : Concat("it lets it set ", absl::StrJoin(profile.overridable, ", "))));
  }
  if (wanted.timeout > profile.longest_timeout) {
    return absl::InvalidArgumentError(Concat("policy.timeout: is ", wanted.timeout.count(),
                                             " ms, and profile ", profile.name, " allows at most ",
                                             profile.longest_timeout.count(), " ms (longest_timeout)"));
  }
  return absl::OkStatus();
}

void ChangeSettings(const Profile& profile, const Settings& before, const Settings& after,
                    DeliveryPolicy& to) {
  const DeliveryPolicy old = PolicyOf(profile, before);
  const DeliveryPolicy now = PolicyOf(profile, after);
  for (const PolicyField& field : PolicyFields()) {
    const bool own = IsOverridable(profile, field.name) && !field.same(to, old);
    if (!own) field.copy(now, to);
  }
}

absl::Status CheckUrlAllowed(const Profile& profile, const std::string& url, bool allow_http) {
  ASSIGN_OR_RETURN(const ParsedUrl parsed, ParseUrl(url));
  const auto takes = [&profile](std::string_view scheme) {
    return std::find(profile.schemes.begin(), profile.schemes.end(), scheme) != profile.schemes.end();
  };
  if (!takes(parsed.scheme)) {
    if (allow_http && parsed.scheme == "http") return absl::OkStatus();
    return absl::InvalidArgumentError(
        Concat("url: is ", parsed.scheme, ", and profile ", profile.name, " takes ",
               absl::StrJoin(profile.schemes, " and "), " only (url.schemes)",
               parsed.scheme == "http" ? "; an operator can admit http by profiles.allow_http" : ""));
  }
  const std::vector<uint16_t>& ports = profile.ports;
  if (ports.empty() || std::find(ports.begin(), ports.end(), parsed.port) != ports.end())
    return absl::OkStatus();
  return absl::InvalidArgumentError(Concat("url: its port is ", parsed.port, ", and profile ", profile.name,
                                           " takes port ", absl::StrJoin(ports, ", "), " only (url.ports)"));
}

absl::Status CheckHeadersAllowed(const Profile& profile, const Endpoint& endpoint) {
  const bool authorized = endpoint.authorization.basic != nullptr || endpoint.authorization.oauth2 != nullptr;
  if (profile.custom_headers || (endpoint.headers.empty() && !authorized)) return absl::OkStatus();
  if (authorized) {
    return absl::InvalidArgumentError(
        Concat("authorization: profile ", profile.name,
               " lets an endpoint have no headers of its own (custom_headers): leave it out"));
  }
  return absl::InvalidArgumentError(
      Concat("headers: profile ", profile.name,
             " lets an endpoint have none of its own (custom_headers): leave them out"));
}

absl::Status CheckEndpointCount(const Profile& profile, const Endpoint& endpoint,
                                const std::map<EndpointId, std::shared_ptr<const Endpoint>>& others) {
  const size_t most = profile.endpoints_per_channel;
  if (most == 0) return absl::OkStatus();
  if (endpoint.channels.size() > 1) {
    return absl::InvalidArgumentError(
        Concat("channels: profile ", profile.name,
               " has endpoints of one channel (endpoints_per_channel): name one, or "
               "none where the subscriber itself has the endpoint"));
  }
  std::vector<const Endpoint*> peers;
  std::set<std::string> channels(endpoint.channels.begin(), endpoint.channels.end());
  if (endpoint.channels.empty()) channels.insert("");
  for (const auto& [id, other] : others) {
    if (id == endpoint.id || other->profile != profile.name) continue;
    peers.push_back(other.get());
    if (endpoint.channels.empty()) channels.insert(other->channels.begin(), other->channels.end());
  }
  for (const std::string& channel : channels) {
    if (Serving(channel, peers) < most) continue;
    return absl::FailedPreconditionError(
        Concat("channels: profile ", profile.name, " has at most ", most,
               most == 1 ? " endpoint" : " endpoints", " for one channel (endpoints_per_channel), and ",
               channel.empty() ? std::string("the subscriber") : Concat("channel ", channel),
               " has them: change that one, or delete it first"));
  }
  return absl::OkStatus();
}

absl::Status CheckTypesInPlan(const LoadedProfile& profile, std::string_view plan, const Endpoint& endpoint) {
  for (size_t i = 0; i < endpoint.event_types.size(); ++i) {
    const ProfileEventType* gated = GatedType(profile, plan, endpoint.event_types[i]);
    if (gated == nullptr) continue;
    return absl::FailedPreconditionError(Concat("event_types[", i, "]: ", GateText(profile, *gated, plan)));
  }
  return absl::OkStatus();
}

}  // namespace hookd
