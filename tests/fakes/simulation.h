// Ledger, scheduler and the store in memory under virtual time: days of deliveries in milliseconds, without
// threads. The receiver is a function of the test's.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dispatcher/engine/ledger.h"
#include "dispatcher/engine/report.h"
#include "dispatcher/engine/request.h"
#include "dispatcher/engine/scheduler.h"
#include "storage/memory_store.h"
#include "tests/fakes/null_telemetry.h"

namespace hookd::testing {

class Simulation final : private SchedulerHost {
 public:
  struct Answer {
    int status = 200;
    ErrorKind error = ErrorKind::kNone;
    std::string retry_after;
    Duration took{};
    ErrorKind token_error = ErrorKind::kNone;
  };
  using Receiver = std::function<Answer(const Endpoint&, const Work&)>;
  struct Sent {
    EndpointId endpoint;
    Sequence sequence = 0;
    uint32_t attempt = 0;
    Duration at{};  // since the start
    EventId batch;  // all zero = none
    std::vector<Sequence> members = {};
  };

  explicit Simulation(Receiver receiver, SchedulerLimits limits = {})
      : receiver_(std::move(receiver)), limits_(limits) {
    Restart();
    Change([](Ledger& ledger) { ledger.PutSubscriber(MakeSubscriber()); });
  }

  // Times since the start.
  Duration elapsed() const { return now.steady - kStart; }

  // Makes or changes an endpoint; a new one has no id yet.
  EndpointId Put(Endpoint endpoint) {
    EndpointId id = endpoint.id;
    Change([&](Ledger& ledger) {
      if (id.value == 0) endpoint.id = id = ledger.NextEndpointId(endpoint.subscriber_id);
      ledger.PutEndpoint(std::make_shared<const Endpoint>(endpoint));
    });
    return id;
  }
  void Change(const std::function<void(Ledger&)>& change) {
    Begin();
    change(*ledger_);
    End();
  }
  void Publish(const std::string& ordering_key = "", WallMs expires_ms = 0) {
    Event event;
    event.type = "t";
    event.payload = "{}";
    event.ordering_key = ordering_key;
    event.expires_ms = expires_ms;
    Publish(std::move(event));
  }
  void Publish(Event event) {
    event.subscriber_id = "acme";
    Begin();
    EXPECT_TRUE(ledger_->Accept({std::move(event), std::nullopt}).status.ok());
    End();
  }

  // Lets virtual time go on to `until` (since the start), doing what is due on the way.
  void RunUntil(Duration until) {
    while (true) {
      Settle();
      if (!ends_.empty() && ends_.begin()->first <= now.steady) {
        const std::function<void()> end = std::move(ends_.begin()->second);
        ends_.erase(ends_.begin());
        end();
        continue;
      }
      SteadyTime next = kStart + until;
      if (now.steady >= next) return;
      if (!ends_.empty()) next = std::min(next, ends_.begin()->first);
      if (const std::optional<SteadyTime> due = scheduler_->NextDue()) next = std::min(next, *due);
      Pass(next - now.steady);
    }
  }
  void Pass(Duration time) {
    now.steady += time;
    wall_fraction_ += time;
    const auto ms = std::chrono::duration_cast<Millis>(wall_fraction_);
    now.wall += ms.count();
    wall_fraction_ -= ms;
  }

  std::shared_ptr<const Endpoint> Find(EndpointId id) { return store_->ReadEndpoint(id)->endpoint; }
  std::vector<Delivery> Deliveries(EndpointId endpoint) const {
    DeliveryQuery query;
    query.endpoint = endpoint;
    query.limit = 100'000;
    return store_->ListDeliveries(query)->deliveries;
  }
  Delivery Read(DeliveryId id) const { return *store_->ReadDelivery(id); }
  // As a person would; `state` of End is CANCELED.
  EndAnswer::Kind End(const Delivery& delivery) {
    const EndOrder order{delivery, DeliveryState::kCanceled, EndReason::kCanceledByPerson};
    const EndAnswer::Kind kind = scheduler_->End(order, nullptr);
    if (kind != EndAnswer::Kind::kReadRow) return kind;
    return scheduler_->End(order, *store_->ReadEvent(delivery.event));
  }
  LanePosition Retry(DeliveryId id) { return scheduler_->Retry(id.endpoint, id.sequence, now); }
  // A kill and a start: what was in flight is forgotten, and all but the store.
  void Restart() { RestartFrom(*store_); }
  // A kill before the change is on disk, and a start.
  void Lose(const std::function<void(Ledger&)>& change) {
    Begin();
    change(*ledger_);
    Restart();
  }
  // As Restart, from a copy of the store that Reopen made.
  void RestartFrom(const MemoryStore& store) {
    ends_.clear();
    answers_.clear();
    reports_.clear();
    ledger_.reset();
    store_ = store.Reopen();
    SchedulerHost& host = *this;
    scheduler_.emplace(limits_, host);
    ledger_.emplace(*store_, telemetry, 1, 1);
    const DeliveryStore::Recovered recovered = *store_->Recover();
    ledger_->Recovered(recovered);
    scheduler_->SetOperations(recovered.operations);
    for (const DeliveryStore::ActiveLane& lane : recovered.lanes) {
      if (lane.endpoint == nullptr) {
        scheduler_->Delete(lane.id);
      } else {
        scheduler_->Restore(lane.endpoint, lane.hold, lane.lane, now);
      }
    }
  }
  Ledger& ledger() { return *ledger_; }
  MemoryStore& store() { return *store_; }

  NullTelemetry telemetry;
  Now now{kStart, 1'700'000'000'000};
  std::vector<Sent> sent;
  Duration took{};   // of every attempt, on top of what its answer says
  int captured = 0;  // how often a captured lane told of itself
  std::function<void(const Endpoint&, const Work&)>
      on_end;  // of an attempt, as its answer is there; may be null

 private:
  static constexpr SteadyTime kStart{std::chrono::hours(1000)};

  static Subscriber MakeSubscriber() {
    Subscriber subscriber;
    subscriber.id = "acme";
    return subscriber;
  }

  void Begin() { ledger_->Begin(now); }
  void End() {
    ledger_->Close();
    if (ledger_->HasFacts()) {
      EXPECT_TRUE(store_->Commit(now.wall).ok());
    }
    for (ShardNews& news : ledger_->Committed()) {
      if (news.operations) scheduler_->SetOperations(*news.operations);
      for (const auto& one : news.configured) scheduler_->Configure(one.endpoint, one.hold);
      for (const auto& one : news.accepted) scheduler_->Accepted(one, now);
      for (const auto& one : news.recorded) scheduler_->Recorded(one.endpoint, one.sequence);
      for (const auto& one : news.over_backlog) scheduler_->OverBacklog(one.endpoint, one.excess);
      for (const EndpointId endpoint : news.deleted) scheduler_->Delete(endpoint);
      if (news.expire_accepted_before != 0) scheduler_->ExpireAcceptedBefore(news.expire_accepted_before);
    }
  }
  // Everything that needs no time.
  void Settle() {
    do {
      scheduler_->RunDue(now);
      while (!answers_.empty()) {
        const std::function<void()> answer = std::move(answers_.front());
        answers_.pop_front();
        answer();
      }
      if (!reports_.empty()) {
        Begin();
        for (LaneReport& report : std::exchange(reports_, {})) ledger_->Report(std::move(report));
        End();
      }
      scheduler_->RunDue(now);
    } while (!answers_.empty() || !reports_.empty());
  }

  void StartAttempt(Lane& lane, Work work) override {
    sent.push_back({lane.id(), work.sequence, work.attempt, elapsed(), {}, {}});
    if (work.batch != nullptr) {
      sent.back().batch = work.batch->id;
      for (const Batch::Member& member : work.batch->members) sent.back().members.push_back(member.sequence);
    }
    const std::shared_ptr<const Endpoint> settings = lane.endpoint();
    const Answer answer = receiver_(*settings, work);
    ends_.emplace(now.steady + answer.took + took, [this, &lane, work, settings, answer, started = now.wall] {
      if (on_end) on_end(*settings, work);
      HttpResult result;
      result.status = answer.status;
      result.error = answer.error;
      result.retry_after = answer.retry_after;
      result.token_error = answer.token_error;
      result.us.total = std::chrono::duration_cast<std::chrono::microseconds>(answer.took).count();
      reports_.push_back(MakeOutcome(lane, work, *settings, HostOf(settings->url), RequestContext{1, "hookd"},
                                     started, std::move(result), now, 0));
    });
  }
  void Settle(Lane& lane, LaneStep step) override {
    reports_.push_back(MakeSettlement(lane, step, now.wall, random_()));
  }
  void ReadParked(EndpointId endpoint) override {
    answers_.push_back([this, endpoint] {
      scheduler_->LoadedParked(endpoint, *store_->ReadParked(endpoint, 1'000'000), now);
    });
  }
  void ReadQueue(EndpointId endpoint, Sequence from) override {
    answers_.push_back([this, endpoint, from] {
      scheduler_->LoadedQueue(endpoint, *store_->ReadQueue(endpoint, from, 128, 1u << 20), now);
    });
  }
  void ReadEvent(EndpointId endpoint, Sequence sequence, EventId event) override {
    answers_.push_back([this, endpoint, sequence, event] {
      scheduler_->LoadedEvent(endpoint, sequence, *store_->ReadEvent(event));
    });
  }
  void LaneAtRest(EndpointId) override {}
  void Captured(const std::shared_ptr<const Endpoint>&) override { ++captured; }

  const Receiver receiver_;
  std::unique_ptr<MemoryStore> store_ = std::make_unique<MemoryStore>();
  const SchedulerLimits limits_;
  std::optional<Scheduler> scheduler_;
  std::optional<Ledger> ledger_;
  std::multimap<SteadyTime, std::function<void()>> ends_;  // of attempts in flight
  std::deque<std::function<void()>> answers_;              // of the store
  std::vector<LaneReport> reports_;
  Duration wall_fraction_{};
  std::mt19937_64 random_{7};
};

}  // namespace hookd::testing
