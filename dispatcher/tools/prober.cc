#include "dispatcher/tools/prober.h"

#include <memory>

#include <absl/time/time.h>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/core/probe_schedule.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/tools/sample_run.h"

namespace hookd {
namespace {

constexpr size_t kScanPage = 1'000;

std::string ProbePayload(EndpointId endpoint) {
  return Concat(
      "{\"type\":\"", kProbeEventType, "\",\"endpoint_id\":\"", endpoint.ToString(),
      "\",\"message\":\"A test: the endpoint was disabled, and is enabled when it answers this with "
      "success.\"}");
}

}  // namespace

Prober::Prober(OneShot& one_shot, const DeliveryStore& store, const Clock& clock, std::string user_agent)
    : one_shot_(one_shot), store_(store), clock_(clock), user_agent_(std::move(user_agent)) {}

Prober::~Prober() { Stop(); }

void Prober::Start(Hooks hooks, bool scan) {
  hooks_ = std::move(hooks);
  if (scan) scanned_ = EndpointId{};
}

void Prober::Run() {
  thread_ = std::thread([this] {
    while (!stop_.WaitForNotificationWithTimeout(absl::FromChrono(kProbeTick))) Tick();
  });
}

void Prober::Stop() {
  if (!thread_.joinable()) return;
  stop_.Notify();
  thread_.join();
}

void Prober::Configured(const Endpoint& endpoint) {
  const std::optional<WallMs> due = NextProbe(endpoint, clock_.Wall());
  absl::MutexLock lock(&mutex_);
  Set(endpoint.id, due);
}

void Prober::Set(EndpointId id, std::optional<WallMs> due) {
  if (const auto it = next_.find(id); it != next_.end()) {
    due_.erase({it->second, id});
    next_.erase(it);
  }
  if (!due) return;
  if (next_.size() >= kMaxProbed) {
    left_out_ = true;
    return;
  }
  next_.emplace(id, *due);
  due_.emplace(*due, id);
}

void Prober::Tick() {
  ActOnResults();
  Scan();
  if (hooks_.may_send()) SendDue(clock_.Wall());
}

void Prober::ActOnResults() {
  std::vector<Probe> results;
  {
    absl::MutexLock lock(&mutex_);
    results.swap(results_);
    for (const Probe& probe : results) {
      in_flight_.erase(probe.endpoint->id);
      // Too much waited for the tools' transport: again in a moment.
      if (!probe.error && next_.contains(probe.endpoint->id)) Set(probe.endpoint->id, clock_.Wall());
    }
  }
  for (const Probe& probe : results) {
    if (!probe.error) continue;
    hooks_.done(*probe.error);
    // An error: somebody was faster, or hookd shuts down.
    if (*probe.error == ErrorKind::kNone) hooks_.enable(*probe.endpoint).IgnoreError();
  }
}

void Prober::Scan() {
  if (!scanned_) {
    absl::MutexLock lock(&mutex_);
    if (!left_out_ || next_.size() > kMaxProbed / 2) return;
    left_out_ = false;
    scanned_ = EndpointId{};
  }
  for (size_t rows = 0; rows < kProbeScanRows; rows += kScanPage) {
    const absl::StatusOr<std::vector<StoredEndpoint>> page = store_.ListEndpoints("", *scanned_, kScanPage);
    if (!page.ok()) return;  // again with the next tick
    const WallMs now = clock_.Wall();
    absl::MutexLock lock(&mutex_);
    for (const StoredEndpoint& one : *page) {
      // What is there already is as new or newer.
      if (!next_.contains(one.endpoint->id)) Set(one.endpoint->id, NextProbe(*one.endpoint, now));
    }
    if (page->size() < kScanPage) {
      scanned_.reset();
      return;
    }
    scanned_ = page->back().endpoint->id;
  }
}

void Prober::SendDue(WallMs now) {
  for (size_t i = 0; i < kProbesPerTick; ++i) {
    std::pair<WallMs, EndpointId> first;
    {
      absl::MutexLock lock(&mutex_);
      if (due_.empty() || in_flight_.size() >= kMaxProbes) return;
      first = *due_.begin();
    }
    if (first.first > now) return;
    SendOne(first.second, first.first, now);
  }
}

bool Prober::Held(const Endpoint& endpoint, WallMs now) const {
  if (endpoint.paused || Capturing(endpoint, now)) return true;
  const absl::StatusOr<StoredSubscriber> owner = store_.ReadSubscriber(endpoint.subscriber_id);
  return !owner.ok() || owner->subscriber.paused;
}

void Prober::SendOne(EndpointId id, WallMs due, WallMs now) {
  const absl::StatusOr<StoredEndpoint> stored = store_.ReadEndpoint(id);
  const std::optional<WallMs> next = stored.ok() ? NextProbe(*stored->endpoint, now) : std::nullopt;
  const bool send = next && !Held(*stored->endpoint, now);
  {
    absl::MutexLock lock(&mutex_);
    const auto it = next_.find(id);
    if (it == next_.end() || it->second != due) return;  // it was changed since
    Set(id, next);
    if (!send || !in_flight_.insert(id).second) return;
  }
  const std::shared_ptr<const Endpoint> endpoint = stored->endpoint;
  const absl::StatusOr<std::shared_ptr<SampleRun>> run =
      SampleRun::Make({one_shot_, clock_, user_agent_}, *endpoint,
                      {{std::string(kProbeEventType), {"", ProbePayload(id)}}}, std::nullopt);
  HOOKD_CHECK(run.ok(), "a probe is an event");
  (*run)->Start(
      [this, endpoint](const absl::StatusOr<std::vector<SampleResult>>& results) {
        if (results.ok()) {
          Ended({endpoint, results->front().exchange.attempt.error});
        } else {
          Ended({endpoint, std::nullopt});
        }
      },
      [] { return false; });
}

void Prober::Ended(Probe probe) {
  absl::MutexLock lock(&mutex_);
  results_.push_back(std::move(probe));
}

}  // namespace hookd
