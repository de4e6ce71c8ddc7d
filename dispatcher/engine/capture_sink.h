// What the engine needs of the captures of endpoints: see Capture in base/model.h.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

inline constexpr Millis kMinCapture{1'000};
inline constexpr Millis kMaxCapture{3'600'000};

// Its capture acts at `now`.
inline bool Capturing(const Endpoint& endpoint, WallMs now) {
  return endpoint.capture && now < endpoint.capture->until_ms;
}

// Any thread; must not block.
class CaptureSink {
 public:
  virtual ~CaptureSink() = default;

  // Where the requests of an endpoint go whose capture delivers. Its bin is there from then on.
  virtual std::string BinUrl(const Endpoint& endpoint) = 0;

  // A capture holds the endpoint's lane, nothing of it is in flight, and something is pending. Told again
  // whenever there may be more.
  virtual void Pending(const std::shared_ptr<const Endpoint>& endpoint) = 0;
};

}  // namespace hookd
