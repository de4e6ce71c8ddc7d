#include "dispatcher/app/secrets.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "config/document.h"

namespace hookd {
namespace {

constexpr char kCredentials[] = "CREDENTIALS_DIRECTORY";

absl::Status Fault(const std::string& key, const absl::Status& why) {
  return absl::Status(why.code(), absl::StrCat(key, ": ", why.message()));
}

absl::StatusOr<SecretKey> ReadKeyFile(const std::string& key, const std::string& path) {
  const absl::StatusOr<std::string> text = config::ReadFile(path, kMaxKeyFileBytes);
  if (!text.ok()) return Fault(key, text.status());
  absl::StatusOr<SecretKey> read = ParseSecretKey(*text);
  if (!read.ok()) return Fault(absl::StrCat(key, ": ", path), read.status());
  return read;
}

}  // namespace

absl::StatusOr<SecretKeys> ReadSecretKeys(const config::v1::Secrets& config) {
  SecretKeys keys;
  if (!config.key_file().empty()) {
    ASSIGN_OR_RETURN(keys.newest, ReadKeyFile("secrets.key_file", config.key_file()));
  } else if (!config.key_env().empty()) {
    const char* text = std::getenv(config.key_env().c_str());
    if (text == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("secrets.key_env: there is no environment variable ", config.key_env(), ": set it"));
    }
    absl::StatusOr<SecretKey> read = ParseSecretKey(text);
    if (!read.ok()) return Fault(absl::StrCat("secrets.key_env: ", config.key_env()), read.status());
    keys.newest = *std::move(read);
  } else if (!config.credential().empty()) {
    if (config.credential().find('/') != std::string::npos) {
      return absl::InvalidArgumentError("secrets.credential: is the name of a credential, without a path");
    }
    const char* folder = std::getenv(kCredentials);
    if (folder == nullptr) {
      return absl::NotFoundError(absl::StrCat(
          "secrets.credential: $", kCredentials,
          " is not set: hookd was not started by systemd with LoadCredential=", config.credential()));
    }
    ASSIGN_OR_RETURN(keys.newest,
                     ReadKeyFile("secrets.credential", absl::StrCat(folder, "/", config.credential())));
  }
  for (const std::string& path : config.old_key_files()) {
    ASSIGN_OR_RETURN(SecretKey key, ReadKeyFile("secrets.old_key_files", path));
    keys.old.push_back(std::move(key));
  }
  RETURN_IF_ERROR(CheckSecretKeys(keys));
  return keys;
}

std::vector<std::string> OpenKeyFiles(const config::v1::Secrets& config) {
  std::vector<std::string> paths(config.old_key_files().begin(), config.old_key_files().end());
  if (!config.key_file().empty()) paths.push_back(config.key_file());
  std::vector<std::string> open;
  for (const std::string& path : paths) {
    std::error_code error;
    const std::filesystem::perms perms = std::filesystem::status(path, error).permissions();
    if (!error && (perms & std::filesystem::perms::others_all) != std::filesystem::perms::none) {
      open.push_back(path);
    }
  }
  return open;
}

}  // namespace hookd
