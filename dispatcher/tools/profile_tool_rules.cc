#include "dispatcher/tools/profile_tool_rules.h"

#include <vector>

#include <absl/strings/str_join.h>

#include "base/concat.h"

namespace hookd {
namespace {

VerificationMethod MethodOf(hookd::Ownership ownership) {
  switch (ownership) {
    case hookd::Ownership::kHubChallenge:
      return VerificationMethod::kHubChallenge;
    case hookd::Ownership::kHmacChallenge:
      return VerificationMethod::kHmacChallenge;
    case hookd::Ownership::kCloudEvents:
      return VerificationMethod::kCloudEvents;
    case hookd::Ownership::kNone:
      break;
  }
  return VerificationMethod::kNone;
}

template <typename Named>
std::string NamesOf(const std::vector<Named>& all) {
  if (all.empty()) return "none";
  return absl::StrJoin(all, ", ", [](std::string* out, const Named& one) { out->append(one.name); });
}

}  // namespace

absl::Status ProfileToolRules::MaySimulate(const std::string& profile, const Subscriber& subscriber) const {
  const LoadedProfile* found = profiles_->Find(profile);
  return found == nullptr ? absl::OkStatus() : ToolAllowed(*found, subscriber.plan, Tool::kSimulation);
}

absl::Status ProfileToolRules::MayCapture(const std::string& profile, const Subscriber& subscriber) const {
  const LoadedProfile* found = profiles_->Find(profile);
  return found == nullptr ? absl::OkStatus() : ToolAllowed(*found, subscriber.plan, Tool::kCapture);
}

absl::StatusOr<Sample> ProfileToolRules::FindSample(const std::string& profile, const std::string& type,
                                                    const std::string& name) const {
  const LoadedProfile* found = profiles_->Find(profile);
  if (found == nullptr) return ToolRules::FindSample(profile, type, name);
  const ProfileEventType* known = found->FindType(type);
  if (known == nullptr) {
    return absl::NotFoundError(Concat("sample: profile ", profile, " has no event type ", type,
                                      ", it has: ", NamesOf((*found)->event_types), "; or give a payload"));
  }
  for (const ProfileSample& sample : known->samples) {
    if (name.empty() || sample.name == name) return Sample{sample.name, sample.payload};
  }
  return absl::NotFoundError(Concat("sample: ", type, " of profile ", profile, " has no sample ", name,
                                    ", it has: ", NamesOf(known->samples), "; or give a payload"));
}

VerificationMethod ProfileToolRules::Ownership(const std::string& profile) const {
  const LoadedProfile* found = profiles_->Find(profile);
  return found == nullptr ? VerificationMethod::kNone : MethodOf((*found)->ownership);
}

}  // namespace hookd
