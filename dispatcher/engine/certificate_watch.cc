#include "dispatcher/engine/certificate_watch.h"

#include <algorithm>

#include "base/concat.h"

namespace hookd {
namespace {

std::string Words(const std::string& host, WallMs left_ms) {
  if (left_ms <= 0) return Concat(host, ": its certificate has ended: attempts fail until it is renewed");
  return Concat(host, ": its certificate ends in ", left_ms / 3'600'000, " h");
}

}  // namespace

void CertificateWatch::Saw(const std::string& host, WallMs ends_ms, WallMs now) {
  if (ends_ms == 0) return;
  {
    absl::MutexLock lock(&mutex_);
    if (seen_.size() >= kMaxWatchedCertificates && !seen_.contains(host)) Forget(now);
    if (seen_.size() >= kMaxWatchedCertificates && !seen_.contains(host)) return;
    Seen& seen = seen_[host];
    seen.ends_ms = ends_ms;
    seen.at_ms = now;
    if (ends_ms - now > kCertificateWarning.count()) return;
    if (seen.told_ms != 0 && now - seen.told_ms < kCertificateMemory.count()) return;
    seen.told_ms = now;
  }
  telemetry_.Warn("certificate.ends", Words(host, ends_ms - now));
}

CertificateGauges CertificateWatch::Read(WallMs now) {
  absl::MutexLock lock(&mutex_);
  Forget(now);
  CertificateGauges gauges;
  gauges.seen = seen_.size();
  for (const auto& [host, seen] : seen_) {
    if (seen.ends_ms - now <= kCertificateWarning.count()) ++gauges.expiring;
    if (gauges.soonest_ms == 0 || seen.ends_ms < gauges.soonest_ms) gauges.soonest_ms = seen.ends_ms;
  }
  return gauges;
}

void CertificateWatch::Forget(WallMs now) {
  absl::erase_if(seen_,
                 [now](const auto& one) { return now - one.second.at_ms > kCertificateMemory.count(); });
}

}  // namespace hookd
