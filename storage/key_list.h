// `SECRETS` in the data folder: the keys that stored secrets may be sealed under, each with a proof that
// tells a wrong key before anything else is touched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "storage/seal.h"

namespace hookd {

inline constexpr char kKeyListFile[] = "SECRETS";

// Of the file; none where there is no file. FAILED_PRECONDITION: a listed key is not among the sealer's;
// DATA_LOSS: the file is damaged. Writes nothing.
absl::StatusOr<std::vector<uint32_t>> CheckKeyList(const std::string& folder, const Sealer& sealer);

// Replaces the list: `ids`, the newest first, all of them the sealer's.
absl::Status WriteKeyList(const std::string& folder, const Sealer& sealer, const std::vector<uint32_t>& ids);

}  // namespace hookd
