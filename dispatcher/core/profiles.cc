#include "dispatcher/core/profiles.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_join.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/profile_rules.h"

namespace hookd {
namespace {

std::string Quoted(std::string_view text) { return Concat("\"", text, "\""); }

std::string PlanText(std::string_view plan) {
  return plan.empty() ? std::string("the subscriber has none") : Concat("the subscriber's is ", Quoted(plan));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const LoadedProfile>> LoadedProfile::Make(Profile profile) {
  RETURN_IF_ERROR(CheckProfileValues(profile));
  std::unique_ptr<LoadedProfile> loaded(new LoadedProfile(std::move(profile)));
  const std::vector<ProfileEventType>& types = loaded->profile_.event_types;
  for (size_t i = 0; i < types.size(); ++i) {
    const std::string key = Concat("event_types[", i, "]");
    Type& entry = loaded->types_[types[i].name];
    entry.type = &types[i];
    loaded->gated_ = loaded->gated_ || !types[i].plans.empty();
    if (types[i].schema.empty()) continue;
    absl::StatusOr<std::unique_ptr<const JsonSchema>> schema = JsonSchema::Compile(types[i].schema);
    if (!schema.ok()) {
      return absl::InvalidArgumentError(
          Concat(key, ".schema: ", types[i].schema_file, " ", std::string(schema.status().message())));
    }
    entry.schema = *std::move(schema);
    for (size_t j = 0; j < types[i].samples.size(); ++j) {
      const ProfileSample& sample = types[i].samples[j];
      const absl::Status fits = entry.schema->Check(sample.payload);
      if (fits.ok()) continue;
      return absl::InvalidArgumentError(Concat(key, ".samples[", j, "].file: ", sample.file, " does not fit ",
                                               types[i].schema_file, " ", std::string(fits.message())));
    }
  }
  return std::unique_ptr<const LoadedProfile>(std::move(loaded));
}

const ProfileEventType* LoadedProfile::FindType(std::string_view type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : found->second.type;
}

absl::Status LoadedProfile::CheckEvent(std::string_view type, std::string_view payload) const {
  const auto found = types_.find(type);
  if (found == types_.end()) {
    return absl::InvalidArgumentError(
        Concat("type: ", type, " is not in the catalogue of profile ", profile_.name,
               ", and the subscriber is strict: publish one of its types, or add this one"));
  }
  if (found->second.schema == nullptr) return absl::OkStatus();
  const absl::Status fits = found->second.schema->Check(payload);
  if (fits.ok()) return fits;
  return absl::InvalidArgumentError(Concat("payload: does not fit the schema of ", type, " in profile ",
                                           profile_.name,
                                           ", and the subscriber is strict: ", std::string(fits.message())));
}

absl::StatusOr<std::shared_ptr<const Profiles>> Profiles::Make(std::vector<Profile> profiles,
                                                               bool allow_http) {
  auto made = std::make_shared<Profiles>();
  made->allow_http_ = allow_http;
  for (Profile& profile : profiles) {
    ASSIGN_OR_RETURN(std::unique_ptr<const LoadedProfile> loaded, LoadedProfile::Make(std::move(profile)));
    made->all_.push_back(std::move(loaded));
  }
  return std::shared_ptr<const Profiles>(std::move(made));
}

const LoadedProfile* Profiles::Find(std::string_view name) const {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [name](const auto& one) { return (*one)->name == name; });
  return found == all_.end() ? nullptr : found->get();
}

absl::StatusOr<const LoadedProfile*> Profiles::Get(std::string_view name) const {
  if (const LoadedProfile* found = Find(name)) return found;
  std::vector<std::string> names;
  for (const auto& one : all_) names.push_back((*one)->name);
  return absl::InvalidArgumentError(Concat("profile: there is none of that name, ",
                                           names.empty()
                                               ? std::string("and none was loaded")
                                               : Concat("use one of ", absl::StrJoin(names, ", "))));
}

absl::Status CheckProfile(const Profile& profile) { return LoadedProfile::Make(profile).status(); }

bool HasPlan(const std::vector<std::string>& plans, std::string_view plan) {
  return plans.empty() || std::find(plans.begin(), plans.end(), plan) != plans.end();
}

const ProfileEventType* GatedType(const LoadedProfile& profile, std::string_view plan,
                                  std::string_view type) {
  if (!profile.gated()) return nullptr;
  const ProfileEventType* found = profile.FindType(type);
  return found == nullptr || HasPlan(found->plans, plan) ? nullptr : found;
}

std::string GateText(const LoadedProfile& profile, const ProfileEventType& type, std::string_view plan) {
  return Concat("profile ", profile->name, " has ", type.name, " in the plans ",
                absl::StrJoin(type.plans, ", "), "; ", PlanText(plan));
}

absl::Status ToolAllowed(const LoadedProfile& profile, std::string_view plan, Tool tool) {
  const bool simulation = tool == Tool::kSimulation;
  const std::vector<std::string>& plans = simulation ? profile->simulation_plans : profile->capture_plans;
  if (HasPlan(plans, plan)) return absl::OkStatus();
  return absl::FailedPreconditionError(Concat("profile ", profile->name, " has ",
                                              simulation ? "the simulation" : "captures", " in the plans ",
                                              absl::StrJoin(plans, ", "), "; ", PlanText(plan)));
}

}  // namespace hookd
