// What an event and its subscriber may be, and how an event is recognised again.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "base/clock.h"
#include "base/model.h"
#include "storage/facts.h"

namespace hookd {

inline constexpr size_t kMaxPayloadBytes = 1 << 20;
inline constexpr size_t kMaxSubscriberIdBytes = 128;
inline constexpr size_t kMaxSubscriberNameBytes = 256;
inline constexpr size_t kMaxProfileNameBytes = 64;
inline constexpr size_t kMaxPlanBytes = 64;
inline constexpr size_t kMaxEventTypeBytes = 128;
inline constexpr size_t kMaxChannelBytes = 128;
inline constexpr size_t kMaxOrderingKeyBytes = 128;
inline constexpr size_t kMaxIdempotencyKeyBytes = 128;
inline constexpr size_t kMaxCoalesceKeyBytes = 128;
inline constexpr size_t kMaxTraceparentBytes = 128;
inline constexpr size_t kMaxTracestateBytes = 512;  // what W3C Trace Context asks to pass on at least
// Beside letters and digits.
inline constexpr std::string_view kEventTypePunctuation = "_.:-";

// All that the platform gives of an event, not id and times. INVALID_ARGUMENT names the field first.
absl::Status CheckEvent(const Event& event);

// The times that the platform gives, at the moment of publishing. INVALID_ARGUMENT names not_before_time or
// expire_time.
absl::Status CheckEventTimes(const Event& event, WallMs now);

// All that a client gives; whether there is such a profile is not asked here. INVALID_ARGUMENT names the
// field first ("id: ...").
absl::Status CheckSubscriber(const Subscriber& subscriber);

// Adds the channel to those that are held, which are kept in order, or takes it away; idempotent.
// RESOURCE_EXHAUSTED: kMaxHeldChannels are held.
absl::Status HoldChannel(const std::string& channel, bool hold, Subscriber& subscriber);

// A subscriber's id, under the field's name in the message at hand.
absl::Status CheckSubscriberId(std::string_view field, std::string_view id);

// What is stored of `event`, which has an idempotency key. The same on every machine and in every version.
// not_before and expires_at are not part of the fingerprint: a platform that publishes again may well compute
// them anew, and the first publish's times stand.
IdempotencyKey MakeIdempotencyKey(const Event& event);

}  // namespace hookd
