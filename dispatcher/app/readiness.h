// Whether traffic may come, and why not.
#pragma once

#include <atomic>

#include <absl/status/status.h>

namespace hookd {

// Thread-safe. The reasons are literals.
class Readiness {
 public:
  void Set() { reason_ = nullptr; }
  void Clear(const char* reason) { reason_ = reason; }
  // UNAVAILABLE with the reason when not ready.
  absl::Status Check() const {
    const char* reason = reason_;
    return reason == nullptr ? absl::OkStatus() : absl::UnavailableError(reason);
  }

 private:
  std::atomic<const char*> reason_ = "starting";
};

}  // namespace hookd
