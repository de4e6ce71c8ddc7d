// The ends of receivers' certificates, as the handshakes of the last day showed them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

inline constexpr size_t kMaxWatchedCertificates = 10'000;  // hosts; further ones are not watched
inline constexpr Millis kCertificateMemory{24 * 3'600'000};
inline constexpr Millis kCertificateWarning{14 * 24 * 3'600'000LL};

// Thread-safe.
class CertificateWatch {
 public:
  // `telemetry` outlives it, and is told of each host within kCertificateWarning of the end, once a day.
  explicit CertificateWatch(Telemetry& telemetry) : telemetry_(telemetry) {}

  // `host`: with its port. `ends_ms` 0 = no handshake showed one.
  void Saw(const std::string& host, WallMs ends_ms, WallMs now);
  CertificateGauges Read(WallMs now);

 private:
  struct Seen {
    WallMs ends_ms = 0;
    WallMs at_ms = 0;
    WallMs told_ms = 0;  // 0 = never
  };
  void Forget(WallMs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Telemetry& telemetry_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Seen> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd
