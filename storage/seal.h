// Secrets at rest: AES-256-GCM with a fresh random nonce each. Every stored secret is a SealedValue from the
// first format on; key id 0 means that its bytes are in clear.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "storage/secret_keys.h"

namespace hookd {

namespace storage::v1 {
class SealedValue;
}  // namespace storage::v1

// Any thread. `place` names record and field ("endpoint/00ff.../url"): a value opens in its own place alone.
class Sealer {
 public:
  // Seals nothing and opens what is in clear.
  Sealer() = default;
  // `keys` has passed CheckSecretKeys.
  explicit Sealer(SecretKeys keys);

  void Seal(std::string_view plain, std::string_view place, storage::v1::SealedValue& out) const;
  // FAILED_PRECONDITION: sealed under a key that this process does not have. DATA_LOSS: it does not open.
  absl::StatusOr<std::string> Open(const storage::v1::SealedValue& sealed, std::string_view place) const;

  // Of the key that seals; 0 = none does.
  uint32_t key_id() const { return newest_id_; }
  const SecretKeys& keys() const { return keys_; }

 private:
  const SecretKey* Find(uint32_t id) const;

  SecretKeys keys_;
  uint32_t newest_id_ = 0;
  std::vector<uint32_t> old_ids_;  // in the order of keys_.old
};

}  // namespace hookd
