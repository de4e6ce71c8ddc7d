#include "dispatcher/app/profile_folders.h"

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "config/config_loader.h"
#include "config/profile_loader.h"

namespace hookd {

absl::StatusOr<std::shared_ptr<const Profiles>> ReadProfiles(const config::v1::Config& config) {
  const std::string& dir = config.profiles().dir();
  std::vector<std::string> folders;
  std::error_code error;
  if (dir != DefaultConfig().profiles().dir() || std::filesystem::exists(dir, error)) folders.push_back(dir);
  if (!config.profiles().extra_dir().empty()) folders.push_back(config.profiles().extra_dir());
  ASSIGN_OR_RETURN(std::vector<Profile> profiles, LoadProfiles(folders, CheckProfile));
  return Profiles::Make(std::move(profiles), config.profiles().allow_http());
}

}  // namespace hookd
