#include "dispatcher/api/event_reads.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/connect_protocol.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/newest_events.h"
#include "dispatcher/api/page_token.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/event_rules.h"

namespace hookd {
namespace {

static_assert(kMaxPollWait + std::chrono::seconds(10) < kDefaultCallTimeout,
              "a quiet poll over HTTP has its answer");

// A unary call that reads on the pool, perhaps several times.
class ReadCall final : public grpc::ServerUnaryReactor,
                       public LiveCall,
                       public std::enable_shared_from_this<ReadCall> {
 public:
  // Reads, and gives what fills the response; or sets `wait`: run again after that commit, or at the
  // deadline.
  struct Wait {
    uint64_t commit = 0;
    SteadyTime deadline;
  };
  using Step = std::function<absl::StatusOr<std::function<void()>>(std::optional<Wait>& wait)>;

  static grpc::ServerUnaryReactor* Start(const std::shared_ptr<FeedContext>& feed,
                                         grpc::CallbackServerContext& context, Step step) {
    auto call = std::make_shared<ReadCall>(feed, std::move(step));
    if (feed->polls.load() > kMaxPolls) {
      return Ended(context, absl::ResourceExhaustedError(absl::StrCat(
                                kMaxPolls, " reads of events are under way: try again in a moment")));
    }
    if (!feed->calls.Add(call)) {
      return Ended(context, absl::UnavailableError("shutting down, try again elsewhere or later"));
    }
    feed->Post([call] { call->Run(); });
    return call.get();
  }

  static grpc::ServerUnaryReactor* Ended(grpc::CallbackServerContext& context, const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
    reactor->Finish(ToGrpc(status));
    return reactor;
  }

  ReadCall(std::shared_ptr<FeedContext> feed, Step step) : feed_(std::move(feed)), step_(std::move(step)) {
    feed_->polls.fetch_add(1);
  }
  ~ReadCall() override { feed_->polls.fetch_sub(1); }

  void StopIntake() override { Abort(); }
  void Abort() override { End(absl::UnavailableError("shutting down, try again elsewhere or later")); }
  void OnCancel() override { End(absl::CancelledError("canceled")); }
  void OnDone() override { feed_->calls.Remove(this); }

 private:
  void Run() {
    std::optional<Wait> wait;
    const absl::StatusOr<std::function<void()>> fill = step_(wait);
    if (!wait) {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(finished_, true)) return;  // the response is gone
      if (fill.ok()) (*fill)();
      Finish(ToGrpc(fill.status()));
      return;
    }
    feed_->WhenCommitted(wait->commit, wait->deadline, [weak = weak_from_this()] {
      if (const std::shared_ptr<ReadCall> call = weak.lock()) call->Run();
    });
  }

  void End(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(finished_, true)) Finish(ToGrpc(status));
  }

  const std::shared_ptr<FeedContext> feed_;
  const Step step_;
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

struct Poll {
  EventQuery query;
  std::string name;  // of its cursors
  Duration wait{};
  size_t newest = 0;  // 0 = behind the cursor
};

absl::Status CheckNewest(const v1::PollEventsRequest& request) {
  if (request.newest() < 0 || static_cast<size_t>(request.newest()) > kMaxNewestEvents) {
    return absl::InvalidArgumentError(absl::StrCat("newest: is 1 to ", kMaxNewestEvents, ", or 0"));
  }
  const char* other = !request.cursor().empty()  ? "cursor"
                      : request.has_since()      ? "since"
                      : request.page_size() != 0 ? "page_size"
                      : request.has_wait()       ? "wait"
                                                 : nullptr;
  if (request.newest() == 0 || other == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("newest: give either it or ", other));
}

absl::StatusOr<Poll> MakePoll(const v1::PollEventsRequest& request) {
  Poll poll;
  ASSIGN_OR_RETURN(poll.query.endpoint, OptionalEndpointId(request.endpoint_id()));
  poll.query.subscriber_id = request.subscriber_id();
  if (poll.query.endpoint.has_value() == !poll.query.subscriber_id.empty()) {
    return absl::InvalidArgumentError("endpoint_id: give either it or subscriber_id");
  }
  if (!poll.query.endpoint) RETURN_IF_ERROR(CheckSubscriberId("subscriber_id", poll.query.subscriber_id));
  RETURN_IF_ERROR(CheckTypePattern(request.event_type()));
  poll.query.event_type = request.event_type();
  if (request.ordering_key().size() > kMaxOrderingKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("ordering_key: is longer than ", kMaxOrderingKeyBytes, " bytes"));
  }
  poll.query.ordering_key = request.ordering_key();
  RETURN_IF_ERROR(CheckNewest(request));
  poll.newest = static_cast<size_t>(request.newest());
  ASSIGN_OR_RETURN(poll.query.limit, CheckPageSize(request.page_size()));
  poll.query.max_bytes = kMaxPageBytes;
  if (request.has_wait()) {
    ASSIGN_OR_RETURN(const Millis wait, FromDuration(request.wait(), "wait"));
    if (wait < Millis(0) || wait > kMaxPollWait) {
      return absl::InvalidArgumentError("wait: is 0 to 30 s");
    }
    poll.wait = wait;
  }
  poll.name =
      absl::StrCat("poll/", request.endpoint_id(), "/", request.subscriber_id(), "/", request.event_type());
  if (!request.ordering_key().empty()) absl::StrAppend(&poll.name, "/", request.ordering_key());
  ASSIGN_OR_RETURN(const std::string position, ParsePageToken(poll.name, request.cursor()));
  if (!position.empty()) {
    const absl::StatusOr<EventId> after = EventId::Parse(position);
    if (!after.ok()) return absl::InvalidArgumentError("cursor: holds no position of this poll");
    poll.query.after = *after;
  } else if (request.has_since()) {
    ASSIGN_OR_RETURN(const WallMs since, FromTimestamp(request.since(), "since"));
    poll.query.after = EventId::Make(std::clamp<WallMs>(since, 0, (WallMs{1} << 47)), 0, 0, 0);
  }
  return poll;
}

absl::StatusOr<std::function<void()>> FillNewest(Engine& engine, const Poll& poll,
                                                 v1::PollEventsResponse& response) {
  if (poll.query.endpoint) {
    RETURN_IF_ERROR(engine.GetEndpoint(*poll.query.endpoint).status());
  } else {
    RETURN_IF_ERROR(engine.GetSubscriber(poll.query.subscriber_id).status());
  }
  ASSIGN_OR_RETURN(NewestPage newest,
                   ReadNewest(engine, {poll.query.endpoint, poll.query.subscriber_id, poll.query.event_type,
                                       poll.query.ordering_key, poll.newest}));
  std::string cursor = MakePageToken(poll.name, newest.newest.ToString());
  return [&response, newest = std::move(newest), cursor = std::move(cursor)] {
    for (const std::shared_ptr<const Event>& event : newest.events) *response.add_events() = ToProto(*event);
    response.set_cursor(cursor);
    response.set_incomplete(newest.incomplete);
  };
}

}  // namespace

grpc::ServerUnaryReactor* GetEventCall(const std::shared_ptr<FeedContext>& feed,
                                       grpc::CallbackServerContext& context,
                                       const v1::GetEventRequest& request, v1::Event& response) {
  const absl::StatusOr<EventId> id = EventId::Parse(request.id());
  if (!id.ok()) {
    return ReadCall::Ended(context, absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message())));
  }
  return ReadCall::Start(feed, context,
                         [&engine = feed->engine, id = *id, &response](
                             std::optional<ReadCall::Wait>&) -> absl::StatusOr<std::function<void()>> {
                           ASSIGN_OR_RETURN(const std::shared_ptr<const Event> event, engine.GetEvent(id));
                           ASSIGN_OR_RETURN(std::vector<DeliveryId> deliveries,
                                            engine.DeliveriesOf(*event, kMaxShownDeliveries));
                           return [&response, event, deliveries = std::move(deliveries)] {
                             response = ToProto(*event);
                             for (const DeliveryId& delivery : deliveries) {
                               response.add_delivery_ids(delivery.ToString());
                             }
                           };
                         });
}

grpc::ServerUnaryReactor* PollEventsCall(const std::shared_ptr<FeedContext>& feed,
                                         grpc::CallbackServerContext& context,
                                         const v1::PollEventsRequest& request,
                                         v1::PollEventsResponse& response) {
  absl::StatusOr<Poll> poll = MakePoll(request);
  if (!poll.ok()) return ReadCall::Ended(context, poll.status());
  const SteadyTime deadline = feed->clock.Steady() + poll->wait;
  return ReadCall::Start(
      feed, context,
      [&engine = feed->engine, &clock = feed->clock, poll = *std::move(poll), deadline,
       &response](std::optional<ReadCall::Wait>& wait) mutable -> absl::StatusOr<std::function<void()>> {
        // Before the read: what is committed during it wakes the next one.
        const uint64_t commit = engine.last_commit();
        if (poll.newest > 0) return FillNewest(engine, poll, response);
        if (poll.query.endpoint && poll.query.subscriber_id.empty()) {
          ASSIGN_OR_RETURN(const EndpointView view, engine.GetEndpoint(*poll.query.endpoint));
          poll.query.subscriber_id = view.endpoint->subscriber_id;
        } else if (!poll.query.endpoint) {
          RETURN_IF_ERROR(engine.GetSubscriber(poll.query.subscriber_id).status());
        }
        ASSIGN_OR_RETURN(EventPage page, engine.ListEvents(poll.query));
        poll.query.after = page.last;
        if (page.events.empty() && !page.more && clock.Steady() < deadline) {
          wait = ReadCall::Wait{commit, deadline};
          return std::function<void()>();
        }
        std::string cursor = MakePageToken(poll.name, poll.query.after.ToString());
        return [&response, events = std::move(page.events), cursor = std::move(cursor)] {
          for (const std::shared_ptr<const Event>& event : events) *response.add_events() = ToProto(*event);
          response.set_cursor(cursor);
        };
      });
}

}  // namespace hookd
