// The profiles that the configuration names.
#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "dispatcher/core/profiles.h"
#include "hookd/config/v1/config.pb.h"

namespace hookd {

// None, where profiles.dir has its default and there is no such folder: hookd was not installed from its
// package. INVALID_ARGUMENT as LoadProfiles.
absl::StatusOr<std::shared_ptr<const Profiles>> ReadProfiles(const config::v1::Config& config);

}  // namespace hookd
