#include "dispatcher/engine/sweeper.h"

#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

constexpr size_t kRows = 256;  // of one commit
constexpr size_t kBytes = 1u << 20;

DeliveryEnded CanceledBy(EndpointId endpoint, Sequence sequence, const Event& event,
                         const RemadePtr& remade) {
  DeliveryEnded fact;
  fact.delivery = MakeDeliveryId(event.id, remade, endpoint, sequence);
  fact.event = event.id;
  fact.remade = remade;
  fact.event_type = event.type;
  fact.subscriber_id = event.subscriber_id;
  fact.state = DeliveryState::kCanceled;
  fact.reason = EndReason::kEndpointDeleted;
  return fact;
}

}  // namespace

void Sweeper::Sweep(EndpointId endpoint) {
  {
    absl::MutexLock lock(&mutex_);
    if (sweeping_ >= kMaxSweeps) {
      waiting_.push_back(endpoint);
      return;
    }
    ++sweeping_;
  }
  Begin(endpoint);
}

void Sweeper::Finished() {
  EndpointId next;
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      --sweeping_;
      return;
    }
    next = waiting_.front();
    waiting_.pop_front();
  }
  Begin(next);
}

// To enter a drained queue at its beginning costs a second per million rows.
void Sweeper::Begin(EndpointId endpoint) {
  const auto cursor = std::make_shared<Sequence>(0);
  committer_.Submit({[endpoint, cursor](Ledger& ledger) {
                       const LaneState* lane = ledger.store().Lane(endpoint);
                       if (lane != nullptr) *cursor = lane->cursor;
                     },
                     [this, endpoint, cursor](const absl::Status& status) {
                       if (status.ok() && *cursor != 0) SweepFrom(endpoint, *cursor);
                     }});
}

void Sweeper::SweepFrom(EndpointId endpoint, Sequence from) {
  boost::asio::post(readers_, [this, endpoint, from] {
    absl::StatusOr<std::vector<DeliveryEnded>> facts = NextRows(endpoint, from);
    if (!facts.ok()) {
      // The rest stays until the next start: nothing is sent from it.
      telemetry_.Error("sweep", Concat(endpoint.ToString(), ": ", std::string(facts.status().message())));
      Finished();
      return;
    }
    End(endpoint, from, *std::move(facts));
  });
}

absl::StatusOr<std::vector<DeliveryEnded>> Sweeper::NextRows(EndpointId endpoint, Sequence from) const {
  std::vector<DeliveryEnded> facts;
  ASSIGN_OR_RETURN(const std::vector<QueuedDelivery> queued, store_.ReadQueue(endpoint, from, kRows, kBytes));
  for (const QueuedDelivery& row : queued) {
    facts.push_back(CanceledBy(endpoint, row.sequence, *row.event, row.remade));
  }
  if (!facts.empty()) return facts;
  ASSIGN_OR_RETURN(const std::vector<ParkedDelivery> parked, store_.ReadParked(endpoint, kRows));
  for (const ParkedDelivery& row : parked) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Event> event, store_.ReadEvent(row.event));
    DeliveryEnded fact = CanceledBy(endpoint, row.sequence, *event, row.remade);
    fact.was_parked = true;
    fact.ordering_key_hash = row.ordering_key_hash;
    fact.attempt_count = row.attempts;
    fact.batch = row.batch;
    facts.push_back(std::move(fact));
  }
  return facts;
}

void Sweeper::End(EndpointId endpoint, Sequence from, std::vector<DeliveryEnded> facts) {
  if (!facts.empty() && !facts.back().was_parked) from = facts.back().delivery.sequence + 1;
  const bool last = facts.empty();
  const uint64_t count = facts.size();
  auto shared = std::make_shared<std::vector<DeliveryEnded>>(std::move(facts));
  committer_.Submit({[endpoint, last, shared](Ledger& ledger) {
                       for (DeliveryEnded& fact : *shared) {
                         fact.at_ms = ledger.now();
                         ledger.Apply(fact);
                       }
                       if (last) ledger.Apply(LaneRemoved{endpoint});
                     },
                     [this, endpoint, from, last, count](const absl::Status& status) {
                       if (!status.ok()) return;
                       if (count > 0) telemetry_.DeliveriesEnded(DeliveryState::kCanceled, count);
                       if (last) {
                         Finished();
                       } else {
                         SweepFrom(endpoint, from);
                       }
                     }});
}

}  // namespace hookd
