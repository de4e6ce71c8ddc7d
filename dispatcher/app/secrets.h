// The keys that the configuration names.
#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "hookd/config/v1/config.pb.h"
#include "storage/secret_keys.h"

namespace hookd {

// Larger files hold no key.
inline constexpr size_t kMaxKeyFileBytes = 4096;

// Reads files, environment and systemd credentials. Errors name the key of the configuration and never repeat
// what was read.
absl::StatusOr<SecretKeys> ReadSecretKeys(const config::v1::Secrets& config);

// Key files that everybody on the machine may read.
std::vector<std::string> OpenKeyFiles(const config::v1::Secrets& config);

}  // namespace hookd
