#include "dispatcher/api/watch_call.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"

namespace hookd {
namespace {

// Changes read at a time, and the rest of their last commit.
constexpr size_t kReadChanges = 500;
// A larger commit goes in several messages: clients receive 4 MiB by default.
constexpr size_t kWatchMessageBytes = 1024 * 1024;
// A stream that had nothing to send says so often how far it is.
constexpr std::chrono::seconds kHeartbeat{5};

absl::Status ShuttingDown() {
  return absl::UnavailableError("shutting down: watch again with after_commit of the newest answer");
}

absl::StatusOr<WatchFilter> MakeFilter(const v1::WatchDeliveriesRequest& request) {
  WatchFilter filter;
  if (!request.endpoint_id().empty()) {
    const absl::StatusOr<EndpointId> id = EndpointId::Parse(request.endpoint_id());
    if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("endpoint_id: ", id.status().message()));
    filter.endpoint = *id;
  }
  filter.subscriber_id = request.subscriber_id();
  for (const int number : request.states()) {
    ASSIGN_OR_RETURN(const std::optional<DeliveryState> state,
                     FromProto(static_cast<v1::DeliveryState>(number)));
    if (!state) return absl::InvalidArgumentError("states: one is unspecified, leave it out");
    filter.states.insert(*state);
  }
  return filter;
}

}  // namespace

bool WatchFilter::Takes(const StateChange& change) const {
  return (endpoint.value == 0 || change.delivery.endpoint == endpoint) &&
         (subscriber_id.empty() || change.subscriber_id == subscriber_id) &&
         (states.empty() || states.contains(change.state));
}

grpc::ServerWriteReactor<v1::WatchDeliveriesResponse>* WatchCall::Start(
    std::shared_ptr<FeedContext> feed, const v1::WatchDeliveriesRequest& request, StillAllowed allowed) {
  struct Refused final : grpc::ServerWriteReactor<v1::WatchDeliveriesResponse> {
    explicit Refused(const absl::Status& why) { Finish(ToGrpc(why)); }
    void OnDone() override { delete this; }
  };
  absl::StatusOr<WatchFilter> filter = MakeFilter(request);
  if (!filter.ok()) return new Refused(filter.status());
  const uint64_t newest = feed->engine.last_commit();
  const uint64_t after = request.after_commit() == 0 ? newest : request.after_commit();
  if (feed->watchers.fetch_add(1) >= kMaxWatchers) {
    feed->watchers.fetch_sub(1);
    return new Refused(absl::ResourceExhaustedError(
        absl::StrCat("there are ", kMaxWatchers, " watchers, end one of them or try again later")));
  }
  auto call = std::make_shared<WatchCall>(feed, *std::move(filter), after, std::move(allowed));
  if (!feed->calls.Add(call)) return new Refused(ShuttingDown());
  call->StartSendInitialMetadata();  // that it watches, also before there is anything to send
  call->PostStep();
  return call.get();
}

WatchCall::WatchCall(std::shared_ptr<FeedContext> feed, WatchFilter filter, uint64_t after,
                     StillAllowed allowed)
    : feed_(std::move(feed)),
      filter_(std::move(filter)),
      allowed_(std::move(allowed)),
      after_(after),
      last_sent_(feed_->clock.Steady()) {}

WatchCall::~WatchCall() { feed_->watchers.fetch_sub(1); }

void WatchCall::PostStep() {
  feed_->Post([self = shared_from_this()] { self->Step(); });
}

void WatchCall::Step() {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
  }
  if (absl::Status over = allowed_ == nullptr ? absl::OkStatus() : allowed_(); !over.ok()) return End(over);
  if (sent_ == taken_.size()) {
    absl::StatusOr<ChangePage> page = feed_->engine.ReadChanges(after_, kReadChanges);
    if (!page.ok()) return End(page.status());
    taken_ = std::move(page->changes);
    std::erase_if(taken_, [this](const StateChange& change) { return !filter_.Takes(change); });
    sent_ = 0;
    taken_through_ = page->commit;
    more_ = page->more;
  }
  response_.Clear();
  for (size_t bytes = 0; sent_ < taken_.size() && bytes < kWatchMessageBytes; ++sent_) {
    v1::DeliveryChange& change = *response_.add_changes();
    change = ToProto(taken_[sent_]);
    bytes += change.ByteSizeLong();
  }
  // In the middle, the commit before: a resume repeats, and never skips.
  if (sent_ == taken_.size()) after_ = taken_through_;
  response_.set_commit(after_);
  const SteadyTime now = feed_->clock.Steady();
  if (response_.changes().empty() && now - last_sent_ < kHeartbeat) {
    if (more_) return PostStep();
    return feed_->WhenCommitted(after_, last_sent_ + kHeartbeat, [weak = weak_from_this()] {
      if (const std::shared_ptr<WatchCall> self = weak.lock()) self->Step();
    });
  }
  last_sent_ = now;
  absl::MutexLock lock(&mutex_);
  if (!finished_) StartWrite(&response_);
}

void WatchCall::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the stream broke"));
  PostStep();
}

void WatchCall::OnCancel() { End(absl::CancelledError("canceled")); }

void WatchCall::StopIntake() { End(ShuttingDown()); }

void WatchCall::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpc(status));
}

void WatchCall::OnDone() { feed_->calls.Remove(this); }

}  // namespace hookd
