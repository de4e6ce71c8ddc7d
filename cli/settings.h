// Where hookctl works and how it shows things: from flags, the environment, and the profiles of a file.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace hookd::cli {

// What a profile may give.
struct Profile {
  std::optional<std::string> server;
  std::optional<int> deadline_seconds;
  std::optional<std::string> output;  // "table" or "json"
  std::optional<std::string> token_file;
  std::optional<std::string> ca_file;
  std::optional<std::string> cert_file;
  std::optional<std::string> key_file;
};

struct SettingsFile {
  std::string default_profile;  // "" = none
  std::map<std::string, Profile> profiles;
};

// profile: NAME
// profiles:
//   NAME: {server: HOST:PORT, deadline: 30s, output: table, token_file: F, ca_file: F, cert_file: F,
//   key_file: F}
// INVALID_ARGUMENT: "name:line: key: reason, what to do".
absl::StatusOr<SettingsFile> ParseSettings(std::string_view yaml, const std::string& name);

// $HOOKCTL_CONFIG, or hookd/hookctl.yaml in $XDG_CONFIG_HOME or ~/.config; "" when there is no home.
std::string SettingsPath();

// The file's; none when it does not exist, unless HOOKCTL_CONFIG names it.
absl::StatusOr<SettingsFile> LoadSettings();

}  // namespace hookd::cli
