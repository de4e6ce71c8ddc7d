// Reads the profiles: folders of NAME.yaml files, each with a folder NAME/ of the samples and schemas that it
// names.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/profile.h"

namespace hookd {

inline constexpr size_t kMaxProfiles = 64;
inline constexpr size_t kMaxProfileFileBytes = 64 * 1024;  // a sample or schema

// What the values mean together. Its INVALID_ARGUMENT begins with the key that it is about, as the file
// writes it: "event_types[3].samples[0].file: ...".
using ProfileCheck = std::function<absl::Status(const Profile&)>;

// Every *.yaml of `folders`, by name. INVALID_ARGUMENT with one line per fault, of all files at once:
// "path:line: key: reason, what to do".
absl::StatusOr<std::vector<Profile>> LoadProfiles(const std::vector<std::string>& folders,
                                                  const ProfileCheck& check);

// One of them: `path` ends in "/NAME.yaml".
absl::StatusOr<Profile> LoadProfile(const std::string& path, const ProfileCheck& check);

}  // namespace hookd
