// What a profile may be, beside its schemas: core/profiles.h asks for both.
#pragma once

#include <absl/status/status.h>

#include "base/profile.h"

namespace hookd {

// INVALID_ARGUMENT begins with the key that it is about, as the profile's file writes it.
absl::Status CheckProfileValues(const Profile& profile);

}  // namespace hookd
