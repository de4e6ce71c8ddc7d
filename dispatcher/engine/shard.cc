#include "dispatcher/engine/shard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/core/delivery_state.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

constexpr size_t kReadBytes = 1u << 20;  // of payload, in one read of a lane's queue
constexpr size_t kReadRows = 128;
constexpr size_t kParkedRows = 1'000'000;      // more than any lane may have
constexpr std::chrono::seconds kReadRetry{5};  // after a read that failed

WallMs WallOf(int64_t tat_us, SteadyTime now, WallMs wall) {
  const int64_t now_us =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  return tat_us <= now_us ? 0 : wall + (tat_us - now_us) / 1000;
}

}  // namespace

Shard::Shard(const SchedulerLimits& limits, ShardContext context, const Engine::TransportFactory& transports)
    : context_(std::move(context)),
      read_rows_(std::min(kReadRows, limits.lane.window_items)),
      work_(boost::asio::make_work_guard(io_)),
      timer_(io_),
      scheduler_(limits, *this),
      transport_(transports(io_)),
      random_(std::random_device()()) {}

Shard::~Shard() { Stop(); }

void Shard::Start() {
  Post([this] { Pump(); });
  thread_ = std::thread([this] { io_.run(); });
}

void Shard::Stop() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
}

void Shard::Post(std::function<void()> task) { boost::asio::post(io_, std::move(task)); }

void Shard::Recover(EndpointId id, std::shared_ptr<const Endpoint> endpoint, bool paused,
                    const LaneState& lane) {
  if (endpoint == nullptr) {
    Post([this, id] { scheduler_.DeletedBefore(id); });
    return;
  }
  scheduler_.Configure(std::move(endpoint), paused, &lane, context_.clock.Steady(), context_.clock.Wall());
}

void Shard::Tell(ShardNews news) {
  Post([this, news = std::move(news)] {
    const SteadyTime now = context_.clock.Steady();
    const WallMs wall = context_.clock.Wall();
    for (const ShardNews::Configured& one : news.configured) {
      scheduler_.Configure(one.endpoint, one.paused, nullptr, now, wall);
    }
    for (const ShardNews::Accepted& one : news.accepted) {
      scheduler_.Accepted(one.endpoint, one.sequence, one.event, now);
    }
    for (const ShardNews::Recorded& one : news.recorded) scheduler_.Recorded(one.endpoint, one.sequence);
    for (const EndpointId endpoint : news.deleted) scheduler_.Delete(endpoint);
    Pump();
  });
}

void Shard::Pump() {
  scheduler_.RunDue(context_.clock.Steady());
  in_flight_.store(scheduler_.in_flight(), std::memory_order_relaxed);
  if (at_rest_ && scheduler_.in_flight() == 0) std::exchange(at_rest_, nullptr)();
  const std::optional<SteadyTime> due = scheduler_.NextDue();
  if (armed_ == due) return;
  armed_ = due;
  if (!due) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*due);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    armed_.reset();
    Pump();
  });
}

void Shard::Quiesce(std::function<void()> at_rest) {
  Post([this, at_rest = std::move(at_rest)] {
    scheduler_.StopStarting();
    at_rest_ = at_rest;
    Pump();
  });
}

void Shard::CancelAll() {
  Post([this] { transport_->CancelAll(); });
}

void Shard::StartAttempt(Lane& lane, Work work) {
  const WallMs wall = context_.clock.Wall();
  std::shared_ptr<const Endpoint> settings = lane.endpoint();
  HttpRequest request = MakeRequest(*settings, work.event, work.sequence, work.attempt, wall,
                                    {context_.epoch, context_.user_agent});
  transport_->Send(std::move(request), [this, id = lane.id(), work = std::move(work),
                                        settings = std::move(settings), wall](HttpResult result) mutable {
    AttemptEnded(id, work, std::move(settings), wall, std::move(result));
  });
}

void Shard::AttemptEnded(EndpointId endpoint, const Work& work, std::shared_ptr<const Endpoint> settings,
                         WallMs started, HttpResult result) {
  Lane* lane = scheduler_.Find(endpoint);
  HOOKD_CHECK(lane != nullptr, "a lane with something in flight stays");
  const WallMs wall = context_.clock.Wall();
  const SteadyTime now = context_.clock.Steady();

  AttemptRecorded fact;
  fact.delivery = {work.event->id.bucket(), endpoint, work.sequence};
  fact.event = work.event->id;
  fact.event_type = work.event->type;
  fact.subscriber_id = work.event->subscriber_id;
  Attempt& attempt = fact.attempt;
  attempt.number = work.attempt;
  attempt.started_ms = started;
  attempt.us = result.us;
  attempt.error = Judge(settings->policy, result.error, result.status);
  attempt.error_detail = std::move(result.error_detail);
  if (attempt.error == ErrorKind::kStatus && attempt.error_detail.empty()) {
    attempt.error_detail = Concat("answered ", result.status);
  }
  attempt.status = result.status;
  attempt.remote_address = std::move(result.remote_address);
  attempt.http_version = result.http_version;
  attempt.resends = result.resends;
  if (attempt.error != ErrorKind::kNone) {
    attempt.response_body = std::move(result.body);
    attempt.body_truncated = result.body_truncated;
  }
  const double unit_random = std::uniform_real_distribution<double>(0, 1)(random_);
  AttemptEnd end;
  end.failures = work.failures;
  end.attempt = work.attempt;
  end.error = attempt.error;
  end.status = result.status;
  end.endpoint_deleted = lane->deleted();
  end.expires_ms = work.event->expires_ms;
  const Decision decision = Decide(settings->policy, end, wall, unit_random);
  attempt.next_due_ms = decision.next_due_ms;
  fact.was_parked = work.was_parked;
  fact.state = decision.state;
  fact.reason = decision.reason;
  fact.failures = decision.failures;
  if (!work.event->ordering_key.empty()) fact.ordering_key_hash = StableHash(work.event->ordering_key);

  AfterAttempt after;
  after.parked = !IsTerminal(decision.state);
  after.attempts = work.attempt;
  after.failures = decision.failures;
  after.due = now + Millis(decision.next_due_ms - wall);
  fact.cursor = lane->Submit(work.sequence, after);
  fact.rate_tat_ms = WallOf(lane->rate_tat_us(), now, wall);

  AttemptEvent event;
  event.delivery = fact.delivery;
  event.event = fact.event;
  event.subscriber_id = work.event->subscriber_id;
  event.event_type = work.event->type;
  const std::string host = HostOf(settings->url);
  event.url_host = host;
  event.attempt = &attempt;
  event.state = decision.state;
  event.queued = work.was_parked ? std::chrono::duration_cast<std::chrono::microseconds>(now - work.due) -
                                       std::chrono::microseconds(attempt.us.total)
                                 : std::chrono::milliseconds(started - work.event->accepted_ms);
  context_.telemetry.AttemptDone(event);
  context_.committer.Record(std::move(fact));
  Pump();
}

template <typename T>
void Shard::Read(EndpointId endpoint, std::function<absl::StatusOr<T>()> read,
                 std::function<void(T)> answer) {
  boost::asio::post(context_.readers, [this, endpoint, read, answer] {
    absl::StatusOr<T> value = read();
    Post([this, endpoint, read, answer, value = std::move(value)]() mutable {
      if (value.ok()) {
        answer(*std::move(value));
        Pump();
        return;
      }
      // The lane waits; the rest goes on. A damaged row needs a person, the log says which.
      context_.telemetry.Error("store.read",
                               Concat(endpoint.ToString(), ": ", std::string(value.status().message())));
      auto retry = std::make_shared<boost::asio::steady_timer>(io_, kReadRetry);
      retry->async_wait([this, endpoint, read, answer, retry](const boost::system::error_code& error) {
        if (!error) Read<T>(endpoint, read, answer);
      });
    });
  });
}

void Shard::ReadParked(EndpointId endpoint) {
  Read<std::vector<ParkedDelivery>>(
      endpoint, [this, endpoint] { return context_.store.ReadParked(endpoint, kParkedRows); },
      [this, endpoint](std::vector<ParkedDelivery> rows) {
        scheduler_.LoadedParked(endpoint, rows, context_.clock.Steady(), context_.clock.Wall());
      });
}

void Shard::ReadQueue(EndpointId endpoint, Sequence from) {
  Read<std::vector<QueuedDelivery>>(
      endpoint,
      [this, endpoint, from] { return context_.store.ReadQueue(endpoint, from, read_rows_, kReadBytes); },
      [this, endpoint](std::vector<QueuedDelivery> rows) {
        scheduler_.LoadedQueue(endpoint, std::move(rows), context_.clock.Steady());
      });
}

void Shard::ReadEvent(EndpointId endpoint, Sequence sequence, EventId event) {
  Read<std::shared_ptr<const Event>>(
      endpoint, [this, event] { return context_.store.ReadEvent(event); },
      [this, endpoint, sequence](std::shared_ptr<const Event> loaded) {
        scheduler_.LoadedEvent(endpoint, sequence, std::move(loaded));
      });
}

void Shard::LaneAtRest(EndpointId endpoint) { context_.sweep(endpoint); }

}  // namespace hookd
