#include "dispatcher/engine/steering.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/synchronization/notification.h>

#include "base/acting.h"
#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

// How often a call that waits for a commit looks whether the store has failed.
// What a lane says of itself is left out if it takes longer.
constexpr std::chrono::seconds kLaneAnswer{1};

// An answer that may come when nobody waits for it any more.
template <typename T>
class Answer {
 public:
  std::function<void(T)> Taker() {
    return [state = state_](T value) {
      state->value = std::move(value);
      state->given.Notify();
    };
  }
  bool Wait(Duration timeout) const {
    return state_->given.WaitForNotificationWithTimeout(absl::FromChrono(timeout));
  }
  // False: the store failed before.
  bool Wait(const Committer& committer) const {
    while (!Wait(kFailurePoll)) {
      if (committer.failed()) return false;
    }
    return true;
  }
  const T& value() const { return *state_->value; }

 private:
  struct State {
    absl::Notification given;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

absl::Status StoreFailed() { return absl::UnavailableError("the store failed: hookd is restarting"); }

absl::Status WhyNoRetry(const LanePosition& position) {
  switch (position.place) {
    case LanePosition::Place::kNext:
      return absl::OkStatus();
    case LanePosition::Place::kInFlight:
    case LanePosition::Place::kSettling:
      return absl::FailedPreconditionError("its attempt is in flight: wait for its outcome");
    case LanePosition::Place::kBehind:
      return absl::FailedPreconditionError(
          position.behind
              ? Concat("delivery ", position.behind->ToString(), " goes before it: retry or cancel that one")
              : std::string("others of its endpoint go before it: retry or cancel those"));
    case LanePosition::Place::kNotBefore:
      return absl::FailedPreconditionError("its not_before has not come: no attempt starts earlier");
    case LanePosition::Place::kUnknown:
    case LanePosition::Place::kGone:
      break;
  }
  return absl::FailedPreconditionError("it has just ended: look at it again");
}

}  // namespace

absl::StatusOr<DeliveryView> Steering::View(DeliveryId id) const {
  for (bool again = true;; again = false) {
    DeliveryView view;
    ASSIGN_OR_RETURN(view.delivery, store_.ReadDelivery(id));
    if (IsTerminal(view.delivery.state)) return view;
    Answer<std::optional<Waiting>> answer;
    shard_of_(id.endpoint).WhyWaiting(id, answer.Taker());
    if (!answer.Wait(kLaneAnswer)) {
      view.waiting = OfServer("its lane has not answered");
    } else if (answer.value()) {
      view.waiting = answer.value();
    } else if (again) {
      continue;  // it has ended, or its lane has not heard of it
    } else {
      view.waiting = OfServer("it is on its way to its lane");
    }
    return view;
  }
}

absl::StatusOr<DeliveryView> Steering::Retry(DeliveryId id) const {
  ASSIGN_OR_RETURN(const Delivery delivery, store_.ReadDelivery(id));
  if (IsTerminal(delivery.state)) return Redeliver(delivery);
  Answer<absl::StatusOr<LanePosition>> answer;
  shard_of_(id.endpoint).RetryDelivery(id, answer.Taker());
  if (!answer.Wait(committer_)) return StoreFailed();
  RETURN_IF_ERROR(answer.value().status());
  RETURN_IF_ERROR(WhyNoRetry(*answer.value()));
  RETURN_IF_ERROR(change_(
      [&](Ledger& ledger) {
        ledger.NoteDelivery(id, delivery.subscriber_id, R"({"state":"PENDING"})",
                            R"({"state":"PENDING","due":"now"})");
      },
      nullptr));
  return View(id);
}

absl::StatusOr<DeliveryView> Steering::Redeliver(const Delivery& delivery) const {
  const absl::StatusOr<std::shared_ptr<const Event>> event = store_.ReadEvent(delivery.event);
  if (absl::IsNotFound(event.status())) {
    return absl::NotFoundError(
        Concat("event ", delivery.event.ToString(), ": its payload is gone (retention, or a purge)"));
  }
  RETURN_IF_ERROR(event.status());
  const EndpointId endpoint = delivery.id.endpoint;
  absl::StatusOr<DeliveryId> made = absl::UnknownError("");
  RETURN_IF_ERROR(change_(
      [&](Ledger& ledger) {
        made = ledger.Redeliver(*event, endpoint, Origin::kRetry, delivery.id, delivery.state,
                                delivery.accepted_ms);
      },
      &endpoint));
  RETURN_IF_ERROR(made.status());
  return View(*made);
}

absl::StatusOr<DeliveryView> Steering::Cancel(DeliveryId id) const {
  ASSIGN_OR_RETURN(Delivery delivery, store_.ReadDelivery(id));
  if (IsTerminal(delivery.state)) {
    return absl::FailedPreconditionError(
        Concat("it has ended: ", ToString(delivery.state), ", which is final"));
  }
  Answer<absl::Status> answer;
  shard_of_(id.endpoint)
      .EndDelivery(std::move(delivery), DeliveryState::kCanceled, EndReason::kCanceledByPerson,
                   answer.Taker(), Acting::Now());
  if (!answer.Wait(committer_)) return StoreFailed();
  RETURN_IF_ERROR(answer.value());
  return View(id);
}

}  // namespace hookd
