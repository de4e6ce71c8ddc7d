#include "dispatcher/core/profile_rules.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_join.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/json_rules.h"
#include "dispatcher/core/policy_fields.h"
#include "dispatcher/core/policy_rules.h"
#include "dispatcher/core/profile_resolve.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

constexpr size_t kMaxSettingNameBytes = 64;
constexpr size_t kMaxTitleBytes = 128;
constexpr size_t kMaxProseBytes = 2048;

absl::Status Refuse(std::string_view key, std::string_view why) {
  return absl::InvalidArgumentError(Concat(key, ": ", why));
}

absl::Status CheckNames(const Profile& profile) {
  RETURN_IF_ERROR(CheckName("name", profile.name, kMaxProfileNameBytes, "-_"));
  RETURN_IF_ERROR(CheckText("title", profile.title, kMaxTitleBytes));
  return CheckText("description", profile.description, kMaxProseBytes);
}

absl::Status CheckPlans(std::string_view key, const std::vector<std::string>& plans) {
  for (const std::string& plan : plans) {
    if (plan.empty()) return Refuse(key, "holds an empty name: remove it");
    RETURN_IF_ERROR(CheckText(key, plan, kMaxPlanBytes));
  }
  return absl::OkStatus();
}

absl::Status CheckOverridable(const Profile& profile) {
  std::set<std::string> seen;
  for (const std::string& name : profile.overridable) {
    if (FindPolicyField(name) == nullptr) {
      return Refuse("overridable", Concat("there is no field ", name, ": use some of ", PolicyFieldNames()));
    }
    if (!seen.insert(name).second) return Refuse("overridable", Concat("names ", name, " twice: keep one"));
  }
  return absl::OkStatus();
}

// Each setting alone, and all that any of them could come to.
absl::Status CheckSettings(const Profile& profile) {
  std::set<std::string> names;
  for (size_t i = 0; i < profile.settings.size(); ++i) {
    const ProfileSetting& setting = profile.settings[i];
    const std::string key = Concat("settings[", i, "]");
    std::vector<std::string> called = setting.aliases;
    called.push_back(setting.name);
    for (const std::string& name : called) {
      RETURN_IF_ERROR(CheckName(key + ".name", name, kMaxSettingNameBytes, "_-"));
      if (!names.insert(name).second) return Refuse(key, Concat("another setting is called ", name, " too"));
    }
    RETURN_IF_ERROR(CheckText(key + ".description", setting.description, kMaxProseBytes));
    for (const bool on : {true, false}) {
      const std::string effect = key + (on ? ".when_on" : ".when_off");
      RETURN_IF_ERROR(CheckPatterns(effect + ".mutes", on ? setting.when_on.mutes : setting.when_off.mutes));
      const absl::Status fits = CheckPolicy(PolicyOf(profile, {{setting.name, on}}));
      if (!fits.ok()) return Refuse(effect, Concat("makes ", std::string(fits.message())));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckUrls(const Profile& profile) {
  if (profile.schemes.empty()) return Refuse("url.schemes", "is empty: give https, or both");
  return absl::OkStatus();
}

absl::Status CheckLongestTimeout(const Profile& profile) {
  DeliveryPolicy policy = profile.policy;
  policy.timeout = profile.longest_timeout;
  if (const absl::Status fits = CheckPolicy(policy); !fits.ok()) {
    return Refuse("longest_timeout", "is no timeout that a policy may have: use 100ms to 120s");
  }
  if (profile.policy.timeout > profile.longest_timeout) {
    return Refuse("longest_timeout", "is below policy.timeout: raise it");
  }
  return absl::OkStatus();
}

std::string LineOf(const std::string& text, const absl::Status& fault) {
  const std::string message(fault.message());
  const size_t at = message.rfind("at byte ");
  if (at == std::string::npos) return "";
  const size_t byte = std::min<size_t>(std::stoul(message.substr(at + 8)), text.size());
  return Concat(", line ",
                1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n'));
}

absl::Status CheckSamples(const std::string& key, const ProfileEventType& type) {
  if (type.samples.empty()) return Refuse(key + ".samples", "is empty: give at least one");
  std::set<std::string> names;
  for (size_t i = 0; i < type.samples.size(); ++i) {
    const ProfileSample& sample = type.samples[i];
    const std::string at = Concat(key, ".samples[", i, "]");
    RETURN_IF_ERROR(CheckName(at + ".name", sample.name, kMaxSettingNameBytes, kEventTypePunctuation));
    if (!names.insert(sample.name).second)
      return Refuse(at + ".name", "another sample has it: give it its own");
    RETURN_IF_ERROR(CheckText(at + ".description", sample.description, kMaxProseBytes));
    if (const absl::Status json = CheckJson(sample.payload); !json.ok()) {
      return Refuse(at + ".file",
                    Concat(sample.file, " ", std::string(json.message()), LineOf(sample.payload, json)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEventTypes(const Profile& profile) {
  std::set<std::string> names;
  for (size_t i = 0; i < profile.event_types.size(); ++i) {
    const ProfileEventType& type = profile.event_types[i];
    const std::string key = Concat("event_types[", i, "]");
    RETURN_IF_ERROR(CheckName(key + ".name", type.name, kMaxEventTypeBytes, kEventTypePunctuation));
    if (!names.insert(type.name).second) return Refuse(key + ".name", "another type has it: keep one");
    RETURN_IF_ERROR(CheckText(key + ".title", type.title, kMaxTitleBytes));
    RETURN_IF_ERROR(CheckText(key + ".description", type.description, kMaxProseBytes));
    RETURN_IF_ERROR(CheckPlans(key + ".plans", type.plans));
    RETURN_IF_ERROR(CheckSamples(key, type));
  }
  return absl::OkStatus();
}

absl::Status CheckApiKey(const Profile& profile) {
  if (!profile.api_key) return absl::OkStatus();
  return CheckName("api_key.header", profile.api_key->header, kMaxSettingNameBytes, "-");
}

absl::Status CheckMessageGets(const Profile& profile) {
  if (!profile.message_gets) return absl::OkStatus();
  const ProfileMessageGets& gets = *profile.message_gets;
  const auto known = [&profile](std::string_view pattern) {
    const bool prefix = pattern.ends_with('*');
    if (prefix) pattern.remove_suffix(1);
    return std::any_of(profile.event_types.begin(), profile.event_types.end(),
                       [&](const ProfileEventType& type) {
                         return prefix ? type.name.starts_with(pattern) : type.name == pattern;
                       });
  };
  if (!known(gets.incoming)) return Refuse("message_gets.incoming", "no type of the catalogue fits it");
  if (!known(gets.outgoing)) return Refuse("message_gets.outgoing", "no type of the catalogue fits it");
  if (!known(gets.all)) return Refuse("message_gets.all", "no type of the catalogue fits it");
  return CheckName("message_gets.member", gets.member, kMaxSettingNameBytes, "_-");
}

}  // namespace

absl::Status CheckProfileValues(const Profile& profile) {
  RETURN_IF_ERROR(CheckNames(profile));
  RETURN_IF_ERROR(CheckPolicy(profile.policy));
  RETURN_IF_ERROR(CheckOverridable(profile));
  RETURN_IF_ERROR(CheckLongestTimeout(profile));
  RETURN_IF_ERROR(CheckUrls(profile));
  RETURN_IF_ERROR(CheckSettings(profile));
  RETURN_IF_ERROR(CheckPlans("tools.simulation.plans", profile.simulation_plans));
  RETURN_IF_ERROR(CheckPlans("tools.capture.plans", profile.capture_plans));
  RETURN_IF_ERROR(CheckApiKey(profile));
  RETURN_IF_ERROR(CheckMessageGets(profile));
  return CheckEventTypes(profile);
}

}  // namespace hookd
