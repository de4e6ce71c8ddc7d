// The keys that payloads and what is kept of exchanges are sealed under: random, of a day each, and stored
// under the operator's key. So a change of that one leaves all payloads as they are.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "storage/seal.h"
#include "storage/secret_keys.h"

namespace hookd {

// How long one key seals.
inline constexpr WallMs kPayloadKeyMs = 24 * 3'600'000;

struct PayloadKey {
  SecretKey key;
  WallMs made_ms = 0;
};

// Thread-safe.
class PayloadVault {
 public:
  // `seals`: what is stored from now on is sealed. What is, opens in any case.
  explicit PayloadVault(bool seals) : seals_(seals) {}

  bool seals() const { return seals_; }
  void Load(PayloadKey key);
  // A new key, which seals from now on, and has to be stored with what it seals; nullopt = the one that there
  // is goes on. The committer's.
  std::optional<PayloadKey> Renew(WallMs now);

  // Opens whatever is sealed, and seals under the newest key. Never null.
  std::shared_ptr<const Sealer> sealer() const;
  std::vector<PayloadKey> keys() const;

 private:
  void Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool seals_;
  mutable absl::Mutex mutex_;
  std::vector<PayloadKey> keys_ ABSL_GUARDED_BY(mutex_);  // the newest last
  std::shared_ptr<const Sealer> sealer_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const Sealer>();
};

}  // namespace hookd
