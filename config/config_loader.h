// Reads the configuration file into the messages of proto/hookd/config/v1. The schema holds every key's
// default and range; config/hookd.default.yaml documents them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "hookd/config/v1/config.pb.h"

namespace hookd {

inline constexpr size_t kMaxConfigBytes = 1024 * 1024;

// Keys that the file does not give have their defaults; every section is present. Whatever the file gives is
// known, of the right type and within its range.
// Errors: INVALID_ARGUMENT with one line per fault, all of them at once, "name:line: key.path: reason, what
// to do" (without the line where a default takes part in it); LoadConfig also NOT_FOUND and
// FAILED_PRECONDITION (cannot be read).
absl::StatusOr<config::v1::Config> LoadConfig(const std::string& path);
absl::StatusOr<config::v1::Config> ParseConfig(std::string_view yaml, std::string_view name);

// A port that listens elsewhere than on loopback has TLS, and calls need a token; or allow_insecure_listen is
// set. Part of Load and Parse; for what is changed after them. INVALID_ARGUMENT names the key.
absl::Status CheckListening(const config::v1::Config& config);

// What an empty file gives.
config::v1::Config DefaultConfig();

// The keys whose values differ, in the schema's order.
struct ChangedKey {
  std::string key;
  bool reload = false;  // it acts without a restart
};
std::vector<ChangedKey> ChangedKeys(const config::v1::Config& from, const config::v1::Config& to);

}  // namespace hookd
