// Publishing, over one stream: as fast as it is accepted, at the pace of the deliveries, or at a pace of its
// own.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

namespace hookd::bench {

class HookdProcess;
class Sink;

// Who gets the events: subscribers in turn, and of each its channels in turn.
struct Load {
  std::vector<std::string> subscribers;
  size_t channels = 0;       // 0 = events have no channel
  size_t first_channel = 0;  // then those after it
  size_t deliveries_each = 1;
  size_t payload_bytes = 1024;
};

// 64 events per message; returns once all are acknowledged. Seconds taken. `before_next` is called with the
// number of events handed over so far, before the next message.
double Publish(const std::shared_ptr<grpc::Channel>& channel, const Load& load, size_t events,
               const std::function<void(size_t)>& before_next = {});

// For `before_next`: waits while more than `max_pending` are published and not delivered. Nothing else is
// delivered meanwhile.
std::function<void(size_t)> KeepPace(const HookdProcess& hookd, size_t max_pending);

struct Latency {
  double p50 = 0;  // in ms
  double p99 = 0;
  double max = 0;
  size_t events = 0;
  size_t missing = 0;  // of them, not there at the end; they count as kMissing
};

// How long the last events may take once all are published.
inline constexpr double kGraceSeconds = 10;
inline constexpr double kMissingMs = kGraceSeconds * 1e3;

// Publishes `per_second` for `seconds`, one event per message, and says what passed from each event's due
// time until `sink` had it. The due time counts, not when the publisher came to it: a hookd that does not
// read is not flattered. Each event has one delivery, and all go to `sink`.
Latency MeasureLatency(const HookdProcess& hookd, Sink& sink, const Load& load, size_t per_second,
                       double seconds);

}  // namespace hookd::bench
