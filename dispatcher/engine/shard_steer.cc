// What people and jobs ask of single deliveries, on the shard that has their lane.
#include <utility>

#include <boost/asio/post.hpp>

#include "base/concat.h"
#include "dispatcher/engine/report.h"
#include "dispatcher/engine/shard.h"

namespace hookd {
namespace {

// Each after a commit: one that is busy for longer is not ended.
constexpr int kEndTries = 100;

}  // namespace

struct Shard::Ending {
  EndOrder order;
  std::function<void(absl::Status)> done;
  std::optional<AuditOrigin> by;
  int tries = 0;
};

void Shard::Settle(Lane& lane, LaneStep step) {
  LaneReport report = MakeSettlement(lane, step, context_.clock.Wall(), random_());
  auto* const ended = std::get_if<DeliveryEnded>(&report);
  if (ended != nullptr && ordered_ != nullptr && ordered_->by) {
    report = DeliveryCanceled{std::move(*ended), *ordered_->by};
  }
  context_.committer.Report(std::move(report));
}

// An empty change: what was committed before it has been told by the time that it is done.
void Shard::AfterNews(std::function<void(absl::Status)> then) {
  const auto shared = std::make_shared<std::function<void(absl::Status)>>(std::move(then));
  const auto answer = [this, shared](const absl::Status& status) {
    Post([shared, status] { (*shared)(status); });
  };
  if (!context_.committer.Submit({[](Ledger&) {}, answer})) {
    answer(absl::UnavailableError("hookd is shutting down"));
  }
}

void Shard::WhenParkedKnown(EndpointId endpoint, std::function<void()> then) {
  if (scheduler_.LearnParked(endpoint)) {
    waiting_for_parked_[endpoint].push_back(std::move(then));
  } else {
    then();
  }
}

void Shard::ParkedKnown(EndpointId endpoint) {
  auto waiting = waiting_for_parked_.extract(endpoint);
  if (waiting.empty()) return;
  for (const std::function<void()>& then : waiting.mapped()) then();
}

void Shard::EndDelivery(Delivery delivery, DeliveryState state, EndReason reason,
                        std::function<void(absl::Status)> done, std::optional<AuditOrigin> by) {
  delivery.attempts.clear();
  TryEnd(
      std::make_shared<Ending>(Ending{{std::move(delivery), state, reason}, std::move(done), std::move(by)}));
}

void Shard::TryEnd(std::shared_ptr<Ending> ending) {
  AfterNews([this, ending](const absl::Status& status) {
    if (!status.ok()) {
      ending->done(status);
      return;
    }
    WhenParkedKnown(ending->order.delivery.id.endpoint, [this, ending] { EndNow(ending, nullptr); });
  });
}

void Shard::EndNow(const std::shared_ptr<Ending>& ending, const std::shared_ptr<const Event>& row) {
  const DeliveryId id = ending->order.delivery.id;
  ordered_ = ending.get();
  const EndAnswer::Kind answer = scheduler_.End(ending->order, row);
  ordered_ = nullptr;
  switch (answer) {
    case EndAnswer::Kind::kEnds:
      endings_[{id.endpoint, id.sequence}] = std::move(ending->done);
      Pump();
      break;
    case EndAnswer::Kind::kReadRow:
      ReadRow(ending);
      break;
    case EndAnswer::Kind::kBusy:
      Pump();
      if (++ending->tries < kEndTries) {
        TryEnd(ending);
      } else {
        ending->done(absl::UnavailableError("its endpoint is busy: try again in a moment"));
      }
      break;
    case EndAnswer::Kind::kClaimed:
      ending->done(absl::FailedPreconditionError("somebody else ends it"));
      break;
    case EndAnswer::Kind::kInFlight:
      ending->done(absl::FailedPreconditionError("its attempt is in flight: wait for its outcome"));
      break;
    case EndAnswer::Kind::kBatched: {
      const std::optional<EventId>& batch = ending->order.delivery.batch;
      ending->done(absl::FailedPreconditionError(
          Concat("it is in batch ", batch ? batch->ToString() : std::string(),
                 ", which is sent, retried and ended as one: disable or delete the endpoint instead")));
      break;
    }
    case EndAnswer::Kind::kGone:
      ending->done(absl::FailedPreconditionError("it is not pending any more"));
      break;
  }
}

void Shard::ReadRow(const std::shared_ptr<Ending>& ending) {
  boost::asio::post(context_.readers, [this, ending] {
    const DeliveryId id = ending->order.delivery.id;
    absl::Status status;
    std::shared_ptr<const Event> event;
    if (const absl::StatusOr<Delivery> read = context_.store.ReadDelivery(id); !read.ok()) {
      status = read.status();
    } else if (IsTerminal(read->state)) {
      status = absl::FailedPreconditionError("it is not pending any more");
    } else if (absl::StatusOr<std::shared_ptr<const Event>> found = context_.store.ReadEvent(read->event);
               !found.ok()) {
      status = found.status();
    } else {
      event = *std::move(found);
    }
    Post([this, ending, id, status, event] {
      if (status.ok()) {
        EndNow(ending, event);
        return;
      }
      scheduler_.DropClaim(id.endpoint, id.sequence);
      ending->done(status);
    });
  });
}

void Shard::Ended(EndpointId endpoint, Sequence sequence) {
  if (endings_.empty()) return;
  const auto it = endings_.find({endpoint, sequence});
  if (it == endings_.end()) return;
  const std::function<void(absl::Status)> done = std::move(it->second);
  endings_.erase(it);
  done(absl::OkStatus());
}

void Shard::RetryDelivery(DeliveryId id, std::function<void(absl::StatusOr<LanePosition>)> done) {
  AfterNews([this, id, done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) {
      done(status);
      return;
    }
    WhenParkedKnown(id.endpoint, [this, id, done] {
      const LanePosition position = scheduler_.Retry(id.endpoint, id.sequence, context_.clock.Read());
      Pump();
      done(position);
    });
  });
}

void Shard::WhyWaiting(DeliveryId id, std::function<void(std::optional<Waiting>)> done) {
  Post([this, id, done = std::move(done)] {
    done(scheduler_.WhyWaiting(id.endpoint, id.sequence, context_.clock.Read()));
  });
}

}  // namespace hookd
