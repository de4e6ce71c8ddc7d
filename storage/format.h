// The version of the storage format: docs/storage-format.md says what it holds and how to change it.
#pragma once

#include <cstdint>

namespace hookd {

inline constexpr uint32_t kStorageFormat = 1;

}  // namespace hookd
