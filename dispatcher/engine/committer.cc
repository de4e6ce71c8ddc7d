#include "dispatcher/engine/committer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {

Committer::Committer(const CommitterOptions& options, DeliveryStore& store, const Clock& clock,
                     Telemetry& telemetry, std::function<void(size_t, ShardNews)> tell,
                     std::function<void(absl::Status)> on_fatal)
    : options_(options),
      store_(store),
      clock_(clock),
      telemetry_(telemetry),
      tell_(std::move(tell)),
      on_fatal_(std::move(on_fatal)),
      ledger_(store, telemetry, options.shards, std::random_device()(), options_.profiles.get(), &strict_,
              options_.audit) {}

Committer::~Committer() { Stop(); }

void Committer::Recovered(const DeliveryStore::Recovered& recovered) {
  ledger_.Recovered(recovered);
  ShowState();
}

void Committer::ShowState() {
  subscribers_.store(ledger_.subscribers(), std::memory_order_relaxed);
  endpoints_.store(ledger_.endpoints(), std::memory_order_relaxed);
  endpoints_disabled_.store(ledger_.endpoints_disabled(), std::memory_order_relaxed);
  endpoints_paused_.store(ledger_.endpoints_paused(), std::memory_order_relaxed);
  suspended_.store(ledger_.auto_disable_suspended(), std::memory_order_relaxed);
  absl::MutexLock lock(&mutex_);
  if (operations_ != ledger_.operations()) operations_ = ledger_.operations();
  newest_events_ = {ledger_.newest_event(), ledger_.newest_operational()};
  if (mail_cursor_ != ledger_.mail_cursor()) mail_cursor_ = ledger_.mail_cursor();
}

void Committer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Committer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    intake_closed_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

// What is larger than a whole bound still gets in when nothing else waits.
absl::Status Committer::Fits(const IntakeDemand& demand) const {
  if (!held_.empty()) {
    return absl::ResourceExhaustedError(
        Concat("intake is held (", held_, "): publish again when hookd has recovered by itself"));
  }
  if (intake_events_ == 0) return absl::OkStatus();
  if (intake_bytes_ + demand.bytes > options_.intake_bytes ||
      intake_events_ + demand.events > kIntakeEvents) {
    return absl::ResourceExhaustedError("intake is full: publish again in a moment");
  }
  for (const auto& [subscriber, bytes] : demand.subscribers) {
    const auto waiting = subscriber_bytes_.find(subscriber);
    if (waiting != subscriber_bytes_.end() &&
        waiting->second + bytes > options_.intake_bytes_per_subscriber) {
      return absl::ResourceExhaustedError(
          Concat("subscriber ", subscriber, " has its share of the intake: publish again in a moment"));
    }
  }
  return absl::OkStatus();
}

void Committer::Admit(const IntakeDemand& demand) {
  intake_bytes_ += demand.bytes;
  intake_events_ += demand.events;
  for (const auto& [subscriber, bytes] : demand.subscribers) subscriber_bytes_[subscriber] += bytes;
}

void Committer::Release(const IntakeDemand& demand) {
  intake_bytes_ -= demand.bytes;
  intake_events_ -= demand.events;
  for (const auto& [subscriber, bytes] : demand.subscribers) {
    const auto waiting = subscriber_bytes_.find(subscriber);
    if (waiting == subscriber_bytes_.end()) continue;  // nothing but empty payloads
    waiting->second -= bytes;
    if (waiting->second == 0) subscriber_bytes_.erase(waiting);
  }
}

absl::Status Committer::Publish(std::vector<NewEvent> events, Engine::PublishDone done) {
  PendingPublish publish;
  publish.demand = DemandOf(events);
  absl::MutexLock lock(&mutex_);
  if (failed_) return absl::UnavailableError("the store failed: hookd is restarting");
  if (intake_closed_) return absl::UnavailableError("hookd is shutting down: publish again to its successor");
  RETURN_IF_ERROR(Fits(publish.demand));
  Admit(publish.demand);
  publish.events = std::move(events);
  publish.done = std::move(done);
  publishes_.push_back(std::move(publish));
  return absl::OkStatus();
}

void Committer::WhenRoom(IntakeDemand demand, std::function<void()> ready) {
  {
    absl::MutexLock lock(&mutex_);
    if (!Fits(demand).ok() && !intake_closed_ && !failed_) {
      waiters_.push_back({std::move(demand), std::move(ready)});
      return;
    }
  }
  ready();
}

void Committer::HoldIntake(std::string why) {
  std::vector<Waiter> woken;
  {
    absl::MutexLock lock(&mutex_);
    if (held_ == why) return;
    held_ = std::move(why);
    woken = TakeWoken();
  }
  for (const Waiter& waiter : woken) waiter.ready();
}

std::string Committer::intake_held() const {
  absl::MutexLock lock(&mutex_);
  return held_;
}

std::string Committer::mail_cursor() const {
  absl::MutexLock lock(&mutex_);
  return mail_cursor_;
}

NewestEvents Committer::newest_events() const {
  absl::MutexLock lock(&mutex_);
  return newest_events_;
}

Operations Committer::operations() const {
  absl::MutexLock lock(&mutex_);
  return operations_;
}

std::vector<Committer::Waiter> Committer::TakeWoken() {
  std::vector<Waiter> woken;
  // Counted as if they were in already, so that not all of them come for the same room. One that waits for
  // its subscriber's share does not hold those behind it.
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (!Fits(it->demand).ok()) {
      ++it;
      continue;
    }
    Admit(it->demand);
    woken.push_back(std::move(*it));
    it = waiters_.erase(it);
  }
  for (const Waiter& waiter : woken) Release(waiter.demand);
  return woken;
}

void Committer::CloseIntake() {
  std::deque<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    intake_closed_ = true;
    waiters.swap(waiters_);
  }
  for (const Waiter& waiter : waiters) waiter.ready();
}

uint64_t Committer::intake_bytes() const {
  absl::MutexLock lock(&mutex_);
  return intake_bytes_;
}

uint64_t Committer::intake_events() const {
  absl::MutexLock lock(&mutex_);
  return intake_events_;
}

bool Committer::Backlogged() const {
  absl::MutexLock lock(&mutex_);
  return failed_ || intake_events_ > options_.max_items || reports_.size() > options_.max_items ||
         news_bytes_ > kNewsBytes / 2;
}

bool Committer::failed() const {
  absl::MutexLock lock(&mutex_);
  return failed_;
}

void Committer::Taken(const ShardNews& news) {
  size_t bytes = 0;
  for (const NewDelivery& delivery : news.accepted) bytes += delivery.event->payload.size();
  if (bytes == 0) return;
  absl::MutexLock lock(&mutex_);
  news_bytes_ -= bytes;
}

void Committer::Report(LaneReport report) {
  absl::MutexLock lock(&mutex_);
  reports_.push_back(std::move(report));
}

bool Committer::Submit(Change change) {
  change.origin = Acting::Now();
  absl::MutexLock lock(&mutex_);
  if (stopping_ || failed_) return false;
  changes_.push_back(std::move(change));
  return true;
}

void Committer::Run() {
  Round round;
  while (TakeRound(round)) {
    CommitRound(round);
    round = Round();
  }
}

// In a write stall what the shards report comes first.
bool Committer::MayTakePublish() const {
  return !publishes_.empty() && news_bytes_ < kNewsBytes && (reports_.empty() || !store_.Stalled());
}

// False = stopped and nothing waits.
bool Committer::TakeRound(Round& round) {
  std::vector<Waiter> woken;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Committer* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
          return self->stopping_ || !self->changes_.empty() || !self->reports_.empty() ||
                 !self->carried_.empty() || self->MayTakePublish();
        },
        this));
    if (failed_ || (changes_.empty() && reports_.empty() && publishes_.empty() && carried_.empty())) {
      return false;
    }
    // What is carried over comes first: the order of acceptance is that of the intake.
    const bool publishes = carried_.empty() && (stopping_ || MayTakePublish());
    round.changes.swap(changes_);
    if (reports_.size() <= kRoundReports) {
      round.reports.swap(reports_);
    } else {
      const auto end = reports_.begin() + kRoundReports;
      round.reports.assign(std::make_move_iterator(reports_.begin()), std::make_move_iterator(end));
      reports_.erase(reports_.begin(), end);
    }
    round.publishes.swap(carried_);
    while (
        publishes && !publishes_.empty() &&
        (round.publishes.empty() || (round.items + publishes_.front().events.size() <= options_.max_items &&
                                     round.bytes + publishes_.front().demand.bytes <= options_.max_bytes))) {
      PendingPublish& next = publishes_.front();
      round.items += next.events.size();
      round.bytes += next.demand.bytes;
      Release(next.demand);
      round.publishes.push_back(std::move(next));
      publishes_.pop_front();
    }
    woken = TakeWoken();
  }
  for (const Waiter& waiter : woken) waiter.ready();
  return true;
}

void Committer::AcceptRound(Round& round, std::vector<Answer>& answers) {
  size_t deliveries = 0;
  while (!round.publishes.empty() && deliveries < kRoundDeliveries) {
    PendingPublish& publish = round.publishes.front();
    std::vector<PublishOutcome>& outcomes = publish.outcomes;
    outcomes.reserve(publish.events.size());
    while (outcomes.size() < publish.events.size() && deliveries < kRoundDeliveries) {
      outcomes.push_back(ledger_.Accept(std::move(publish.events[outcomes.size()])));
      deliveries += outcomes.back().deliveries;
    }
    if (outcomes.size() < publish.events.size()) break;
    answers.push_back({std::move(publish.done), std::move(outcomes)});
    round.publishes.pop_front();
  }
  carried_ = std::move(round.publishes);
  round.publishes.clear();
}

void Committer::CommitRound(Round& round) {
  const Now now = clock_.Read();
  ledger_.Begin(now);
  for (Change& change : round.changes) {
    ledger_.Act(std::move(change.origin));
    change.apply(ledger_);
  }
  ledger_.Act(Acting::Now());  // the rest is hookd's own
  for (LaneReport& report : round.reports) ledger_.Report(std::move(report));
  std::vector<Answer> answers;
  AcceptRound(round, answers);
  ledger_.Close();

  if (ledger_.HasFacts()) {
    if (absl::Status status = store_.Commit(now.wall); !status.ok()) {
      Fail(round, answers, status);
      return;
    }
    telemetry_.Committed(std::chrono::duration_cast<std::chrono::microseconds>(clock_.Steady() - now.steady),
                         round.changes.size() + round.reports.size() + round.items, round.bytes);
  }
  std::vector<ShardNews> news = ledger_.Committed();
  ShowState();
  size_t news_bytes = 0;
  for (const ShardNews& one : news) {
    if (options_.on_configured != nullptr) {
      for (const ShardNews::Configured& configured : one.configured) {
        options_.on_configured(*configured.endpoint);
      }
    }
    for (const NewDelivery& delivery : one.accepted) news_bytes += delivery.event->payload.size();
  }
  if (news_bytes > 0) {
    absl::MutexLock lock(&mutex_);
    news_bytes_ += news_bytes;
  }
  for (size_t shard = 0; shard < news.size(); ++shard) {
    if (!news[shard].empty()) tell_(shard, std::move(news[shard]));
  }
  for (Answer& answer : answers) answer.done(std::move(answer.outcomes));
  for (Change& change : round.changes) change.done(absl::OkStatus());
}

// Whether the batch is on disk is unknown: nobody is told that it is, and nothing is accepted any more.
void Committer::Fail(Round& round, std::vector<Answer>& answers, const absl::Status& status) {
  const absl::Status unknown = absl::UnavailableError(
      "the store failed while writing: whether this was kept is unknown; an idempotency key settles it");
  std::deque<Change> changes;
  std::deque<PendingPublish> publishes;
  std::deque<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    failed_ = true;
    changes.swap(changes_);
    publishes.swap(publishes_);
    waiters.swap(waiters_);
  }
  on_fatal_(status);
  for (Answer& answer : answers) {
    for (PublishOutcome& outcome : answer.outcomes) {
      if (outcome.status.ok()) outcome = PublishOutcome{unknown, {}, false, 0, {}};
    }
    answer.done(std::move(answer.outcomes));
  }
  for (PendingPublish& publish : carried_) publishes.push_front(std::move(publish));
  carried_.clear();
  for (PendingPublish& publish : publishes) {
    publish.done(
        std::vector<PublishOutcome>(publish.events.size(), PublishOutcome{unknown, {}, false, 0, {}}));
  }
  for (Change& change : round.changes) change.done(unknown);
  for (Change& change : changes) change.done(unknown);
  for (const Waiter& waiter : waiters) waiter.ready();
}

}  // namespace hookd
