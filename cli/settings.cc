#include "cli/settings.h"

#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include <absl/strings/numbers.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "cli/parse.h"
#include "cli/yaml_reader.h"

namespace hookd::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::Status ReadDeadline(const YamlValue& value, Profile& profile) {
  ASSIGN_OR_RETURN(const std::string text, value.Text());
  const auto duration = ParseDuration(text);
  int seconds = duration ? static_cast<int>(duration->seconds()) : 0;
  if (!duration && !absl::SimpleAtoi(text, &seconds)) seconds = 0;
  if (seconds <= 0) return value.Fault("is not a time of a second or more: write it like 30s");
  profile.deadline_seconds = seconds;
  return absl::OkStatus();
}

absl::Status ReadProfile(const YamlValue& value, Profile& profile) {
  return value.EachKey([&profile](const std::string& key, const YamlValue& inner) -> absl::Status {
    if (key == "server") {
      ASSIGN_OR_RETURN(profile.server, inner.Text());
      return absl::OkStatus();
    }
    if (key == "deadline") return ReadDeadline(inner, profile);
    if (key == "output") {
      ASSIGN_OR_RETURN(profile.output, inner.OneOf({"table", "json"}));
      return absl::OkStatus();
    }
    for (const auto& [name, file] :
         {std::pair("token_file", &profile.token_file), std::pair("ca_file", &profile.ca_file),
          std::pair("cert_file", &profile.cert_file), std::pair("key_file", &profile.key_file)}) {
      if (key != name) continue;
      ASSIGN_OR_RETURN(*file, inner.Text());
      return absl::OkStatus();
    }
    return inner.UnknownKey("server, deadline, output, token_file, ca_file, cert_file, key_file");
  });
}

absl::Status ReadSettings(const YamlValue& root, SettingsFile& file) {
  const auto take = [&file](const std::string& key, const YamlValue& value) -> absl::Status {
    if (key == "profile") {
      ASSIGN_OR_RETURN(file.default_profile, value.Text());
      return absl::OkStatus();
    }
    if (key != "profiles") return value.UnknownKey("profile, profiles");
    return value.EachKey([&file](const std::string& name, const YamlValue& inner) {
      return ReadProfile(inner, file.profiles[name]);
    });
  };
  RETURN_IF_ERROR(root.EachKey(take));
  if (file.default_profile.empty() || file.profiles.count(file.default_profile) != 0) return absl::OkStatus();
  return root.Fault(Concat("profile: ", file.default_profile, " is none of its profiles"));
}

}  // namespace

absl::StatusOr<SettingsFile> ParseSettings(std::string_view yaml, const std::string& name) {
  SettingsFile file;
  RETURN_IF_ERROR(ReadYaml(yaml, name, [&file](const YamlValue& root) { return ReadSettings(root, file); }));
  return file;
}

std::string SettingsPath() {
  if (std::string path = Environment("HOOKCTL_CONFIG"); !path.empty()) return path;
  if (const std::string folder = Environment("XDG_CONFIG_HOME"); !folder.empty()) {
    return folder + "/hookd/hookctl.yaml";
  }
  const std::string home = Environment("HOME");
  return home.empty() ? "" : home + "/.config/hookd/hookctl.yaml";
}

absl::StatusOr<SettingsFile> LoadSettings() {
  const std::string path = SettingsPath();
  struct stat found {};
  const bool exists = !path.empty() && stat(path.c_str(), &found) == 0;
  if (!exists && Environment("HOOKCTL_CONFIG").empty()) return SettingsFile();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseSettings(text, path);
}

}  // namespace hookd::cli
