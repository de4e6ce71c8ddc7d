// Secrets at rest. Every stored secret is a SealedValue from the first format on, so that encryption needs no
// migration; until a key is configured (key_id 0) the bytes are in clear, and docs/storage-format.md says so.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "hookd/storage/v1/records.pb.h"

namespace hookd {

inline storage::v1::SealedValue Seal(std::string_view plain) {
  storage::v1::SealedValue sealed;
  sealed.set_bytes(plain.data(), plain.size());
  return sealed;
}

// FAILED_PRECONDITION: sealed under a key that this process does not have.
inline absl::StatusOr<std::string> Unseal(const storage::v1::SealedValue& sealed) {
  if (sealed.key_id() != 0) {
    return absl::FailedPreconditionError("a stored secret is sealed under a key that is not configured");
  }
  return sealed.bytes();
}

}  // namespace hookd
