#include "dispatcher/engine/shard.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <absl/strings/ascii.h>
#include <boost/asio/post.hpp>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/engine/report.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

constexpr size_t kReadBytes = 1u << 20;  // of payload, in one read of a lane's queue
constexpr size_t kReadRows = 128;
constexpr size_t kParkedRows = 2'600'000;      // more than any lane may have: 100,000 full batches
constexpr std::chrono::seconds kReadRetry{5};  // after a read that failed

// Of "00-", 32 hex digits, "-", and more; empty if it is not of that form.
std::string_view TraceId(std::string_view traceparent) {
  if (traceparent.size() < 36 || traceparent[2] != '-' || traceparent[35] != '-') return {};
  const std::string_view digits = traceparent.substr(3, 32);
  const bool hex = std::all_of(digits.begin(), digits.end(),
                               [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
  return hex ? digits : std::string_view();
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

void Shard::Recover(const Operations& operations, const std::vector<DeliveryStore::ActiveLane>& lanes) {
  scheduler_.SetOperations(operations);
  const Now now = context_.clock.Read();
  for (const DeliveryStore::ActiveLane& lane : lanes) {
    if (lane.endpoint == nullptr) {
      Post([this, id = lane.id] { scheduler_.Delete(id); });
      continue;
    }
    scheduler_.Restore(lane.endpoint, lane.hold, lane.lane, now);
    if (lane.lane.pending() > 0) context_.statistics->Seen(lane.id, now);
  }
}

void Shard::Tell(ShardNews news) {
  Post([this, news = std::move(news)] {
    const Now now = context_.clock.Read();
    if (news.operations) scheduler_.SetOperations(*news.operations);
    for (const ShardNews::Configured& one : news.configured) scheduler_.Configure(one.endpoint, one.hold);
    for (const NewDelivery& one : news.accepted) {
      scheduler_.Accepted(one, now);
      context_.statistics->Seen(one.endpoint->id, now);
    }
    for (const ShardNews::Recorded& one : news.recorded) {
      scheduler_.Recorded(one.endpoint, one.sequence);
      Ended(one.endpoint, one.sequence);
    }
    for (const ShardNews::OverBacklog& one : news.over_backlog)
      scheduler_.OverBacklog(one.endpoint, one.excess);
    for (const EndpointId endpoint : news.deleted) scheduler_.Delete(endpoint);
    if (news.expire_accepted_before != 0) scheduler_.ExpireAcceptedBefore(news.expire_accepted_before);
    context_.committer.Taken(news);
    Pump();
  });
}

void Shard::Pump() {
  scheduler_.RunDue(context_.clock.Read());
  in_flight_.store(scheduler_.attempts_in_flight(), std::memory_order_relaxed);
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
  HttpRequest request = MakeRequest(*settings, work, wall, {context_.epoch, context_.user_agent});
  std::string bin = Divert(*settings, wall, request);
  transport_->Send(std::move(request),
                   [this, id = lane.id(), work = std::move(work), settings = std::move(settings),
                    bin = std::move(bin), wall](HttpResult result) mutable {
                     AttemptEnded(id, work, std::move(settings), bin, wall, std::move(result));
                   });
}

std::string Shard::Divert(const Endpoint& endpoint, WallMs now, HttpRequest& request) {
  if (!Capturing(endpoint, now) || !endpoint.capture->delivers || context_.captures == nullptr) return "";
  request.url = context_.captures->BinUrl(endpoint);
  request.tls.reset();
  request.oauth2.reset();
  request.to_self = true;
  request.http_version = HttpVersion::kHttp11;
  return endpoint.capture->bin;
}

void Shard::AttemptEnded(EndpointId endpoint, const Work& work, std::shared_ptr<const Endpoint> settings,
                         const std::string& bin, WallMs started, HttpResult result) {
  Lane* lane = scheduler_.Find(endpoint);
  HOOKD_CHECK(lane != nullptr, "a lane with something in flight stays");
  const Now now = context_.clock.Read();
  const double unit_random = std::uniform_real_distribution<double>(0, 1)(random_);
  // What a bin answers says nothing of the receiver's host.
  const std::string host = bin.empty() ? HostOf(settings->url) : bin;
  context_.certificates->Saw(host, result.certificate_ends_ms, now.wall);
  AttemptOutcome outcome = MakeOutcome(*lane, work, *settings, host, {context_.epoch, context_.user_agent},
                                       started, std::move(result), now, unit_random);
  if (!bin.empty()) {
    std::string& detail = outcome.fact.attempt.error_detail;
    detail = Concat("sent to ", bin, " (a capture)", detail.empty() ? "" : ": ", detail);
  }
  const Attempt& attempt = outcome.fact.attempt;

  AttemptEvent event;
  event.delivery = outcome.fact.delivery;
  event.event = outcome.fact.event;
  event.subscriber_id = work.event->subscriber_id;
  event.event_type = work.event->type;
  event.url_host = host;
  event.attempt = &attempt;
  event.state = outcome.fact.state;
  event.queued = std::chrono::microseconds(attempt.us.queue);
  event.trace_id = TraceId(work.event->traceparent);
  context_.telemetry.AttemptDone(event);
  context_.statistics->Attempted(endpoint, attempt, now);
  context_.committer.Report(std::move(outcome));
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
        scheduler_.LoadedParked(endpoint, rows, context_.clock.Read());
        ParkedKnown(endpoint);
      });
}

void Shard::ReadQueue(EndpointId endpoint, Sequence from) {
  Read<std::vector<QueuedDelivery>>(
      endpoint,
      [this, endpoint, from] { return context_.store.ReadQueue(endpoint, from, read_rows_, kReadBytes); },
      [this, endpoint](std::vector<QueuedDelivery> rows) {
        scheduler_.LoadedQueue(endpoint, std::move(rows), context_.clock.Read());
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

void Shard::Captured(const std::shared_ptr<const Endpoint>& endpoint) {
  if (context_.captures != nullptr) context_.captures->Pending(endpoint);
}

}  // namespace hookd
