// The profiles that were loaded, with the schemas of their catalogues compiled. Immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/profile.h"
#include "dispatcher/core/json_schema.h"

namespace hookd {

// A profile in use. Its address is its identity for as long as the process runs.
class LoadedProfile {
 public:
  // As CheckProfile.
  static absl::StatusOr<std::unique_ptr<const LoadedProfile>> Make(Profile profile);

  const Profile* operator->() const { return &profile_; }
  const Profile& operator*() const { return profile_; }

  // Null = it is not in the catalogue.
  const ProfileEventType* FindType(std::string_view type) const;
  // Some type of the catalogue is not for every plan.
  bool gated() const { return gated_; }

  // For strict subscribers. INVALID_ARGUMENT names type and profile: the type is not in the catalogue, or the
  // payload (valid JSON) does not fit its schema.
  absl::Status CheckEvent(std::string_view type, std::string_view payload) const;

 private:
  explicit LoadedProfile(Profile profile) : profile_(std::move(profile)) {}

  struct Type {
    const ProfileEventType* type = nullptr;
    std::unique_ptr<const JsonSchema> schema;  // null = any JSON
  };

  const Profile profile_;
  absl::flat_hash_map<std::string_view, Type> types_;
  bool gated_ = false;
};

class Profiles {
 public:
  // None at all.
  Profiles() = default;
  // `profiles` by name, each once. `allow_http`: those that demand https take http too. Errors as
  // CheckProfile.
  static absl::StatusOr<std::shared_ptr<const Profiles>> Make(std::vector<Profile> profiles,
                                                              bool allow_http = false);

  // Null = there is none of that name.
  const LoadedProfile* Find(std::string_view name) const;
  // INVALID_ARGUMENT "profile: ..." lists the names that there are.
  absl::StatusOr<const LoadedProfile*> Get(std::string_view name) const;

  const std::vector<std::unique_ptr<const LoadedProfile>>& all() const { return all_; }
  bool allow_http() const { return allow_http_; }

 private:
  std::vector<std::unique_ptr<const LoadedProfile>> all_;  // by name
  bool allow_http_ = false;
};

// What the values of a profile mean together, its schemas and its samples. INVALID_ARGUMENT begins with the
// key that it is about, as the profile's file writes it.
absl::Status CheckProfile(const Profile& profile);

// A plan that `plans` names has it; empty = every plan.
bool HasPlan(const std::vector<std::string>& plans, std::string_view plan);

// Null: the subscriber's plan has the type, or nothing is said about it.
const ProfileEventType* GatedType(const LoadedProfile& profile, std::string_view plan, std::string_view type);
// "message:in:new is for the plans a and b of profile c, the subscriber's is \"d\"".
std::string GateText(const LoadedProfile& profile, const ProfileEventType& type, std::string_view plan);

enum class Tool { kSimulation, kCapture };
// FAILED_PRECONDITION names the plans that have it.
absl::Status ToolAllowed(const LoadedProfile& profile, std::string_view plan, Tool tool);

}  // namespace hookd
