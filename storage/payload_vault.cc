#include "storage/payload_vault.h"

#include <algorithm>
#include <utility>

#include <openssl/rand.h>

#include "base/check.h"

namespace hookd {

void PayloadVault::Load(PayloadKey key) {
  absl::MutexLock lock(&mutex_);
  keys_.push_back(std::move(key));
  std::stable_sort(keys_.begin(), keys_.end(),
                   [](const PayloadKey& a, const PayloadKey& b) { return a.made_ms < b.made_ms; });
  Make();
}

std::optional<PayloadKey> PayloadVault::Renew(WallMs now) {
  absl::MutexLock lock(&mutex_);
  if (!keys_.empty() && now < keys_.back().made_ms + kPayloadKeyMs) return std::nullopt;
  PayloadKey made;
  made.made_ms = now;
  const auto taken = [&](const PayloadKey& other) { return other.key.id() == made.key.id(); };
  do {
    HOOKD_CHECK(RAND_bytes(made.key.bytes.data(), static_cast<int>(made.key.bytes.size())) == 1,
                "the system gives no randomness");
  } while (std::any_of(keys_.begin(), keys_.end(), taken));
  keys_.push_back(made);
  Make();
  return made;
}

std::shared_ptr<const Sealer> PayloadVault::sealer() const {
  absl::MutexLock lock(&mutex_);
  return sealer_;
}

std::vector<PayloadKey> PayloadVault::keys() const {
  absl::MutexLock lock(&mutex_);
  return keys_;
}

void PayloadVault::Make() {
  SecretKeys all;
  for (auto it = keys_.rbegin(); it != keys_.rend(); ++it) {
    if (!all.newest) {
      all.newest = it->key;
    } else {
      all.old.push_back(it->key);
    }
  }
  sealer_ = std::make_shared<const Sealer>(std::move(all));
}

}  // namespace hookd
