#include "tests/conformance/random_walk.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <absl/strings/str_cat.h>

#include "tests/conformance/describe.h"

namespace hookd {
namespace {

constexpr size_t kEndpoints = 20;
constexpr int kSubscribers = 6;

std::string SubscriberName(uint64_t number) { return absl::StrCat("customer-", number % kSubscribers); }

// What attempts may pick from: parked rows, and the first few of each queue.
std::vector<const ModelDelivery*> Sendable(const StoreModel& model) {
  std::vector<const ModelDelivery*> rows;
  for (const auto& [endpoint, deliveries] : model.deliveries) {
    int queued = 0;
    for (const auto& [sequence, row] : deliveries) {
      if (row.delivery.state != DeliveryState::kPending) continue;
      if (row.parked || queued++ < 4) rows.push_back(&row);
    }
  }
  return rows;
}

// Of `last` and all before it, none has a queue row.
Sequence CursorBehind(const StoreModel& model, const ModelDelivery& last) {
  const EndpointId endpoint = last.delivery.id.endpoint;
  for (const auto& [sequence, other] : model.deliveries.at(endpoint)) {
    if (sequence <= last.delivery.id.sequence) continue;
    if (other.delivery.state == DeliveryState::kPending && !other.parked) return sequence;
  }
  return model.LaneOf(endpoint).next;
}

// As far as the lane's cursor may go when `row` leaves the queue.
Sequence CursorWithout(const StoreModel& model, const ModelDelivery& row) {
  const EndpointId endpoint = row.delivery.id.endpoint;
  for (const auto& [sequence, other] : model.deliveries.at(endpoint)) {
    if (&other != &row && other.delivery.state == DeliveryState::kPending && !other.parked) return sequence;
  }
  return model.LaneOf(endpoint).next;
}

}  // namespace

Fact RandomWalk::Next(const StoreModel& model) {
  now_ms_ += static_cast<WallMs>(random_() % 10'000);
  if (OneIn(300)) now_ms_ += 5 * kBucketMs;
  if (OneIn(400)) drain_below_ = BucketOf(now_ms_);
  if (const ModelDelivery* row = NextToDrain(model)) return NextEnded(model, *row);
  if (OneIn(20)) {
    for (const BucketView& bucket : model.Buckets()) {
      if (bucket.pending > 0 || bucket.pins > 0 || bucket.bucket >= BucketOf(now_ms_) || OneIn(2)) continue;
      return BucketDropped{bucket.bucket, bucket.payloads_gone || OneIn(4)};
    }
  }
  if (OneIn(100)) return NextOperations();
  if (OneIn(30)) return NextJob(model);
  if (OneIn(60)) return NextToken(model);
  if (OneIn(12)) {
    if (std::optional<Fact> fact = NextRedelivered(model)) return *std::move(fact);
  }
  const uint64_t dice = random_() % 100;
  if (dice < 2) {
    Subscriber subscriber = MakeSubscriber(SubscriberName(random_()));
    subscriber.updated_ms = now_ms_;
    return SubscriberChanged{subscriber};
  }
  if (dice == 2) {
    for (const auto& [id, subscriber] : model.subscribers) {
      const bool free = std::none_of(model.endpoints.begin(), model.endpoints.end(),
                                     [&id = id](const auto& e) { return e.second->subscriber_id == id; });
      if (free) return SubscriberDeleted{id};
    }
  }
  if (dice < 8 || model.endpoints.size() < 3) return NextEndpoint(model);
  if (dice == 8) {
    auto endpoint = model.endpoints.begin();
    std::advance(endpoint, random_() % model.endpoints.size());
    return EndpointDeleted{endpoint->first, endpoint->second->subscriber_id};
  }
  if (dice < 12) {
    for (const auto& [id, lane] : model.lanes) {
      if (lane.deleted && model.LaneOf(id).pending() == 0) return LaneRemoved{id};
    }
  }
  std::vector<const ModelDelivery*> rows = Sendable(model);
  if (dice < 50 || rows.empty()) return NextAccepted(model);
  if (dice < 60) {
    const ModelDelivery& row = *rows[random_() % rows.size()];
    if (row.delivery.attempt_count == 0 && !row.delivery.batch && OneIn(2)) return NextBatch(model, row);
    if (!row.parked) return NextParked(model, row);
  }
  if (dice < 90) return NextAttempt(model, *rows[random_() % rows.size()]);
  // The lanes of deleted endpoints first, or they would never empty.
  const auto live = std::stable_partition(rows.begin(), rows.end(), [&model](const ModelDelivery* row) {
    return model.lanes.at(row->delivery.id.endpoint).deleted;
  });
  const size_t choices = live == rows.begin() ? rows.size() : static_cast<size_t>(live - rows.begin());
  return NextEnded(model, *rows[random_() % choices]);
}

Fact RandomWalk::NextEndpoint(const StoreModel& model) {
  std::shared_ptr<Endpoint> endpoint;
  if (model.endpoints.size() < kEndpoints) {
    const uint64_t number = model.endpoints_made + 1;
    endpoint = std::make_shared<Endpoint>(*MakeEndpoint(SubscriberName(random_()), number));
  } else {
    auto old = model.endpoints.begin();
    std::advance(old, random_() % model.endpoints.size());
    endpoint = std::make_shared<Endpoint>(*old->second);
  }
  endpoint->paused = OneIn(2);
  endpoint->updated_ms = now_ms_;
  return EndpointChanged{std::move(endpoint), OneIn(3)};
}

Fact RandomWalk::NextAccepted(const StoreModel& model) {
  ++events_;
  const std::string subscriber = SubscriberName(random_());
  Accepted fact;
  fact.event =
      MakeEvent(subscriber, now_ms_, static_cast<uint16_t>(events_),
                absl::StrCat("{\"n\":", events_, ",\"s\":\"", std::string(random_() % 300, 'x'), "\"}"));
  for (const auto& [id, endpoint] : model.endpoints) {
    if (endpoint->subscriber_id == subscriber && !OneIn(4)) {
      fact.deliveries.push_back({id, model.LaneOf(id).next});
    }
  }
  if (OneIn(3)) {
    fact.idempotency.emplace();
    fact.idempotency->key[0] = static_cast<uint8_t>(events_ >> 8);
    fact.idempotency->key[15] = static_cast<uint8_t>(events_);
    fact.idempotency->fingerprint[0] = static_cast<uint8_t>(random_());
    fact.idempotency->fingerprint[15] = static_cast<uint8_t>(random_());
  }
  return fact;
}

Fact RandomWalk::NextAttempt(const StoreModel& model, const ModelDelivery& row) {
  const EndpointId endpoint = row.delivery.id.endpoint;
  AttemptRecorded fact;
  fact.delivery = row.delivery.id;
  fact.event = row.delivery.event;
  fact.event_type = row.delivery.event_type;
  fact.subscriber_id = row.delivery.subscriber_id;
  fact.remade = row.remade;
  fact.was_parked = row.parked;
  fact.failures = row.failures;
  fact.ordering_key_hash = random_() % 3;
  fact.rate_tat_ms = now_ms_ + static_cast<WallMs>(random_() % 1'000);
  ErrorKind error = ErrorKind::kNone;
  if (!OneIn(2)) error = static_cast<ErrorKind>(1 + random_() % 8);
  fact.attempt = MakeAttempt(row.delivery.attempt_count + 1, error);
  fact.attempt.started_ms = now_ms_ - static_cast<WallMs>(random_() % 30'000);
  fact.attempt.us.total = static_cast<int64_t>(random_() % 30'000'000);
  if (error == ErrorKind::kStatus && OneIn(2)) fact.attempt.status = 429;
  fact.counts_towards_disable = fact.attempt.status != 429;
  fact.batch = row.delivery.batch;
  fact.follows = row.delivery.batch && OneIn(2);
  if (OneIn(3)) fact.hold_until_ms = now_ms_ + static_cast<WallMs>(random_() % 3'600'000);
  if (error == ErrorKind::kNone) {
    fact.state = DeliveryState::kSucceeded;
    fact.reason = EndReason::kDelivered;
  } else if (error != ErrorKind::kLocal && OneIn(6)) {
    fact.state = DeliveryState::kExhausted;
    fact.reason = EndReason::kRetriesUsedUp;
  } else if (model.lanes.at(endpoint).deleted && OneIn(2)) {
    fact.state = DeliveryState::kCanceled;
    fact.reason = EndReason::kEndpointDeleted;
  } else {
    fact.attempt.next_due_ms = now_ms_ + static_cast<WallMs>(random_() % 900'000);
    if (error != ErrorKind::kLocal) ++fact.failures;
  }
  // As far as it may go; now and then it stays behind, which is allowed.
  fact.cursor = OneIn(4) ? model.LaneOf(endpoint).cursor : CursorWithout(model, row);
  return fact;
}

Fact RandomWalk::NextParked(const StoreModel& model, const ModelDelivery& row) {
  DeliveryParked fact;
  fact.delivery = row.delivery.id;
  fact.remade = row.remade;
  fact.event = row.delivery.event;
  fact.ordering_key_hash = 1 + random_() % 3;
  if (OneIn(2)) fact.due_ms = now_ms_ + static_cast<WallMs>(random_() % 900'000);
  fact.cursor = OneIn(4) ? model.LaneOf(row.delivery.id.endpoint).cursor : CursorWithout(model, row);
  return fact;
}

// Of `row` and up to three that follow it.
Fact RandomWalk::NextBatch(const StoreModel& model, const ModelDelivery& row) {
  BatchFormed fact;
  fact.batch = EventId::Make(now_ms_, 0, row.delivery.event.partition(), random_());
  const auto& rows = model.deliveries.at(row.delivery.id.endpoint);
  const ModelDelivery* last = &row;
  for (auto it = rows.find(row.delivery.id.sequence); it != rows.end() && fact.members.size() < 4; ++it) {
    const ModelDelivery& member = it->second;
    if (member.delivery.state != DeliveryState::kPending || member.delivery.attempt_count > 0) break;
    if (member.delivery.batch) break;
    fact.members.push_back(
        {member.delivery.id, member.delivery.event, member.remade, 1 + random_() % 3, member.parked});
    last = &member;
  }
  fact.cursor = model.LaneOf(row.delivery.id.endpoint).cursor;
  if (CursorWithout(model, row) > row.delivery.id.sequence) fact.cursor = CursorBehind(model, *last);
  return fact;
}

// Of something that ended, or of an event that its endpoint may never have had.
std::optional<Fact> RandomWalk::NextRedelivered(const StoreModel& model) {
  const auto has_payload = [&model](const EventId& event) {
    return !model.payloads_dropped.contains(event.bucket());
  };
  Redelivered fact;
  auto remade = std::make_shared<Remade>();
  remade->accepted_ms = now_ms_;
  remade->origin = static_cast<Origin>(1 + random_() % 3);
  if (OneIn(4)) {
    if (model.accepted.empty()) return std::nullopt;
    fact.event = model.accepted[random_() % model.accepted.size()].event;
    for (const auto& [id, endpoint] : model.endpoints) {
      if (endpoint->subscriber_id == fact.event->subscriber_id) fact.delivery.endpoint = id;
    }
    if (fact.delivery.endpoint == EndpointId{} || !has_payload(fact.event->id)) return std::nullopt;
  } else {
    std::vector<const ModelDelivery*> ended;
    for (const auto& [id, endpoint] : model.endpoints) {
      const auto rows = model.deliveries.find(id);
      if (rows == model.deliveries.end()) continue;
      for (const auto& [sequence, row] : rows->second) {
        if (IsTerminal(row.delivery.state) && has_payload(row.delivery.event)) ended.push_back(&row);
      }
    }
    if (ended.empty()) return std::nullopt;
    const ModelDelivery& row = *ended[random_() % ended.size()];
    fact.event = row.event;
    fact.delivery.endpoint = row.delivery.id.endpoint;
    remade->replaces = row.delivery.id;
    fact.replaced_state = row.delivery.state;
    fact.replaced_accepted_ms = row.delivery.accepted_ms;
  }
  fact.delivery.sequence = model.LaneOf(fact.delivery.endpoint).next;
  fact.remade = std::move(remade);
  return fact;
}

Fact RandomWalk::NextToken(const StoreModel& model) {
  if (!model.tokens.empty() && OneIn(3)) return TokenRevoked{model.tokens.begin()->second};
  std::vector<std::string> subscribers;
  for (uint64_t n = random_() % 3; n > 0; --n) {
    const std::string id = SubscriberName(random_());
    if (std::find(subscribers.begin(), subscribers.end(), id) == subscribers.end()) subscribers.push_back(id);
  }
  return TokenMade{MakeToken(random_() | 1, std::move(subscribers))};
}

Fact RandomWalk::NextJob(const StoreModel& model) {
  if (!model.jobs.empty() && OneIn(4)) return JobDeleted{model.jobs.begin()->first};
  Job job = MakeJob(model.next_job);
  if (!model.jobs.empty() && OneIn(2)) job.id = model.jobs.rbegin()->first;
  job.kind = static_cast<JobKind>(1 + random_() % 3);
  job.state = static_cast<JobState>(1 + random_() % 4);
  if (OneIn(2)) job.only_state.reset();
  job.done = random_();
  return JobChanged{std::move(job)};
}

Fact RandomWalk::NextOperations() {
  if (OneIn(3)) return MailCursorChanged{absl::StrCat("after ", random_() % 10, "\n")};
  OperationsChanged fact;
  fact.operations.paused = OneIn(2);
  fact.operations.pause_note = absl::StrCat("note ", random_() % 10);
  fact.operations.paused_ms = fact.operations.paused ? now_ms_ : 0;
  fact.operations.clock_suspect = OneIn(2);
  return fact;
}

const ModelDelivery* RandomWalk::NextToDrain(const StoreModel& model) {
  if (drain_below_ == 0) return nullptr;
  for (const auto& [endpoint, deliveries] : model.deliveries) {
    for (const auto& [sequence, row] : deliveries) {
      if (row.delivery.state == DeliveryState::kPending && row.delivery.id.bucket < drain_below_) return &row;
    }
  }
  drain_below_ = 0;
  return nullptr;
}

Fact RandomWalk::NextEnded(const StoreModel& model, const ModelDelivery& row) {
  DeliveryEnded fact;
  fact.delivery = row.delivery.id;
  fact.event = row.delivery.event;
  fact.event_type = row.delivery.event_type;
  fact.subscriber_id = row.delivery.subscriber_id;
  if (model.lanes.at(row.delivery.id.endpoint).deleted) {
    fact.reason = EndReason::kEndpointDeleted;
  } else {
    fact.state = OneIn(2) ? DeliveryState::kExpired : DeliveryState::kExhausted;
  }
  fact.at_ms = now_ms_;
  fact.remade = row.remade;
  fact.was_parked = row.parked;
  fact.ordering_key_hash = row.ordering_key_hash;
  fact.attempt_count = row.delivery.attempt_count;
  fact.batch = row.delivery.batch;
  if (OneIn(2)) fact.cursor = CursorWithout(model, row);
  return fact;
}

void WalkTogether(const std::vector<StoreHarness*>& harnesses, uint64_t seed, int facts) {
  RandomWalk walk(seed);
  StoreModel now;        // with the open batch
  StoreModel committed;  // what readers see
  std::vector<Fact> open;
  std::vector<std::unique_ptr<DeliveryStore>> stores;
  for (StoreHarness* harness : harnesses) {
    stores.push_back(harness->Open());
    ASSERT_TRUE(stores.back()->Recover().ok());
  }
  const auto one_in = [&walk](uint64_t n) { return walk.random()() % n == 0; };

  for (int i = 1; i <= facts && !testing::Test::HasFailure(); ++i) {
    const std::string where = absl::StrCat("seed ", seed, ", fact ", i);
    const Fact fact = walk.Next(now);
    now.Apply(fact);
    open.push_back(fact);
    for (size_t s = 0; s < stores.size(); ++s) {
      stores[s]->Apply(fact);
      ExpectSameLines(Describe(now.Buckets()), Describe(stores[s]->Buckets()),
                      absl::StrCat(where, ", store ", s, ", buckets"));
      for (const auto& [endpoint, rows] : now.deliveries) {
        const LaneState* lane = stores[s]->Lane(endpoint);
        ASSERT_EQ(lane != nullptr, now.lanes.contains(endpoint)) << where << ", store " << s;
        if (lane != nullptr) {
          ASSERT_EQ(Describe(*lane), Describe(now.LaneOf(endpoint))) << where << ", store " << s;
        }
      }
    }
    if (one_in(8)) {
      for (const auto& store : stores) ASSERT_TRUE(store->Commit(walk.now()).ok()) << where;
      for (const Fact& f : open) committed.Apply(f);
      committed.Commit(walk.now());
      now.Commit(walk.now());
      open.clear();
    }
    const bool reopen = one_in(300);
    if (reopen) {
      for (size_t s = 0; s < stores.size(); ++s) {
        stores[s] = harnesses[s]->Reopen(std::move(stores[s]));
        const auto recovered = stores[s]->Recover();
        ASSERT_TRUE(recovered.ok()) << recovered.status();
        ExpectSameLines(committed.DescribeRecovered(), Describe(*recovered),
                        absl::StrCat(where, ", store ", s, " reopened"));
      }
      now = committed;
      open.clear();
    }
    if (reopen || one_in(200) || i == facts) {
      const std::vector<std::string> expected = committed.Describe(walk.now());
      for (size_t s = 0; s < stores.size(); ++s) {
        ExpectSameLines(expected, DescribeStore(*stores[s], committed, walk.now(), walk.random()),
                        absl::StrCat(where, ", store ", s));
      }
    }
  }
}

}  // namespace hookd
