// The small profile of the tests, loaded. Tests run in the repository's root.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "config/profile_loader.h"
#include "dispatcher/core/profiles.h"

namespace hookd::testing {

inline Profile SmallProfile() {
  absl::StatusOr<Profile> profile = LoadProfile("tests/profiles/small.yaml", CheckProfile);
  EXPECT_TRUE(profile.ok()) << profile.status();
  return *std::move(profile);
}

inline std::shared_ptr<const Profiles> SmallProfiles(bool allow_http = false) {
  absl::StatusOr<std::shared_ptr<const Profiles>> profiles = Profiles::Make({SmallProfile()}, allow_http);
  EXPECT_TRUE(profiles.ok()) << profiles.status();
  return *std::move(profiles);
}

// Those that come with hookd; http is taken where they demand https.
inline std::shared_ptr<const Profiles> ShippedProfiles() {
  absl::StatusOr<std::vector<Profile>> read = LoadProfiles({"config/profiles"}, CheckProfile);
  EXPECT_TRUE(read.ok()) << read.status();
  absl::StatusOr<std::shared_ptr<const Profiles>> profiles = Profiles::Make(*std::move(read), true);
  EXPECT_TRUE(profiles.ok()) << profiles.status();
  return *std::move(profiles);
}

}  // namespace hookd::testing
