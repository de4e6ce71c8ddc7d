#include "dispatcher/engine/committer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/concat.h"

namespace hookd {

Committer::Scope::Scope(Committer& committer, WallMs now)
    : committer_(committer), now_(now), news_(committer.options_.shards) {}

EndpointId Committer::Scope::NextEndpointId(const std::string& subscriber_id) {
  return EndpointId::Make(PartitionOf(subscriber_id), committer_.next_endpoint_number_++);
}

void Committer::Scope::Apply(const Fact& fact) {
  committer_.store_.Apply(fact);
  has_facts_ = true;
}

ShardNews& Committer::Scope::NewsFor(EndpointId endpoint) { return news_[committer_.ShardOf(endpoint)]; }

Committer::Committer(const CommitterOptions& options, DeliveryStore& store, const Clock& clock,
                     Telemetry& telemetry, std::function<void(size_t, ShardNews)> tell,
                     std::function<void(absl::Status)> on_fatal)
    : options_(options),
      store_(store),
      clock_(clock),
      telemetry_(telemetry),
      tell_(std::move(tell)),
      on_fatal_(std::move(on_fatal)),
      random_(std::random_device()()) {}

Committer::~Committer() { Stop(); }

void Committer::Recovered(const DeliveryStore::Recovered& recovered) {
  for (const Subscriber& subscriber : recovered.subscribers) registry_.Put(subscriber);
  for (const std::shared_ptr<const Endpoint>& endpoint : recovered.endpoints) registry_.Put(endpoint);
  next_endpoint_number_ = recovered.next_endpoint_number;
  last_event_ms_ = recovered.wall_high_water_ms;
  CountRegistry();
  event_counter_ = UINT16_MAX;  // the next id is later than any given before, whatever the clock says
}

void Committer::CountRegistry() {
  subscribers_.store(registry_.accounts().size(), std::memory_order_relaxed);
  endpoints_.store(registry_.endpoints().size(), std::memory_order_relaxed);
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

// What is larger than the whole intake still gets in when nothing else waits.
bool Committer::Fits(size_t bytes, size_t events) const {
  return publishes_.empty() ||
         (intake_bytes_ + bytes <= options_.intake_bytes && intake_events_ + events <= kIntakeEvents);
}

absl::Status Committer::Publish(std::vector<NewEvent> events, Engine::PublishDone done) {
  PendingPublish publish;
  for (const NewEvent& event : events) publish.bytes += event.event.payload.size();
  absl::MutexLock lock(&mutex_);
  if (failed_) return absl::UnavailableError("the store failed: hookd is restarting");
  if (intake_closed_) return absl::UnavailableError("hookd is shutting down: publish again to its successor");
  if (!Fits(publish.bytes, events.size())) {
    return absl::ResourceExhaustedError("intake is full: publish again in a moment");
  }
  intake_bytes_ += publish.bytes;
  intake_events_ += events.size();
  publish.events = std::move(events);
  publish.done = std::move(done);
  publishes_.push_back(std::move(publish));
  return absl::OkStatus();
}

void Committer::WhenRoom(size_t bytes, size_t events, std::function<void()> ready) {
  {
    absl::MutexLock lock(&mutex_);
    if (!Fits(bytes, events) && !intake_closed_ && !failed_) {
      waiters_.push_back({bytes, events, std::move(ready)});
      return;
    }
  }
  ready();
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

bool Committer::failed() const {
  absl::MutexLock lock(&mutex_);
  return failed_;
}

void Committer::Record(AttemptRecorded fact) {
  absl::MutexLock lock(&mutex_);
  outcomes_.push_back(std::move(fact));
}

bool Committer::Submit(Change change) {
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

// False = stopped and nothing waits.
bool Committer::TakeRound(Round& round) {
  std::vector<Waiter> woken;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Committer* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
          return self->stopping_ || !self->changes_.empty() || !self->outcomes_.empty() ||
                 !self->publishes_.empty();
        },
        this));
    if (failed_ || (changes_.empty() && outcomes_.empty() && publishes_.empty())) return false;
    round.changes.swap(changes_);
    round.outcomes.swap(outcomes_);
    while (!publishes_.empty() && (round.publishes.empty() ||
                                   (round.items + publishes_.front().events.size() <= options_.max_items &&
                                    round.bytes + publishes_.front().bytes <= options_.max_bytes))) {
      PendingPublish& next = publishes_.front();
      round.items += next.events.size();
      round.bytes += next.bytes;
      intake_bytes_ -= next.bytes;
      intake_events_ -= next.events.size();
      round.publishes.push_back(std::move(next));
      publishes_.pop_front();
    }
    size_t bytes = 0;
    size_t events = 0;
    while (!waiters_.empty() && Fits(bytes + waiters_.front().bytes, events + waiters_.front().events)) {
      bytes += waiters_.front().bytes;
      events += waiters_.front().events;
      woken.push_back(std::move(waiters_.front()));
      waiters_.pop_front();
    }
  }
  for (const Waiter& waiter : woken) waiter.ready();
  return true;
}

EventId Committer::NextEventId(WallMs now, Partition partition) {
  if (now > last_event_ms_) {
    last_event_ms_ = now;
    event_counter_ = 0;
  } else if (event_counter_ == UINT16_MAX) {
    ++last_event_ms_;
    event_counter_ = 0;
  } else {
    ++event_counter_;
  }
  return EventId::Make(last_event_ms_, event_counter_, partition, random_());
}

PublishOutcome Committer::Accept(Scope& scope, NewEvent incoming) {
  PublishOutcome outcome;
  const Registry::Account* account = registry_.Find(incoming.event.subscriber_id);
  if (account == nullptr) {
    outcome.status = absl::NotFoundError(
        Concat("subscriber_id: no subscriber ", incoming.event.subscriber_id, ": create it first"));
    return outcome;
  }
  if (incoming.idempotency) {
    std::optional<IdempotencyHit> hit;
    if (const auto it = open_keys_.find(incoming.idempotency->key); it != open_keys_.end()) {
      hit = it->second;
    } else {
      absl::StatusOr<std::optional<IdempotencyHit>> found =
          store_.FindIdempotency(incoming.idempotency->key, std::max(scope.now(), last_event_ms_));
      if (!found.ok()) {
        outcome.status = found.status();
        return outcome;
      }
      hit = *found;
    }
    if (hit) {
      if (hit->fingerprint != incoming.idempotency->fingerprint) {
        outcome.status = absl::AlreadyExistsError(
            Concat("idempotency_key: used within 24 h for another event, ", hit->event.ToString()));
        return outcome;
      }
      outcome.event = hit->event;
      outcome.duplicate = true;
      return outcome;
    }
  }

  auto event = std::make_shared<Event>(std::move(incoming.event));
  event->id = NextEventId(scope.now(), PartitionOf(event->subscriber_id));
  event->accepted_ms = event->id.accepted_ms();
  Accepted fact;
  fact.idempotency = incoming.idempotency;
  for (const EndpointId endpoint : Registry::Match(*account, event->type, event->channel)) {
    const Sequence sequence = store_.Lane(endpoint)->next;
    fact.deliveries.push_back({endpoint, sequence});
    scope.NewsFor(endpoint).accepted.push_back({endpoint, sequence, event});
  }
  if (fact.idempotency) {
    open_keys_[fact.idempotency->key] = {event->id, fact.idempotency->fingerprint};
  }
  outcome.event = event->id;
  outcome.deliveries = static_cast<uint32_t>(fact.deliveries.size());
  fact.event = std::move(event);
  scope.Apply(fact);
  return outcome;
}

void Committer::CommitRound(Round& round) {
  Scope scope(*this, clock_.Wall());
  const SteadyTime started = clock_.Steady();
  for (Change& change : round.changes) change.apply(scope);
  CountRegistry();

  std::array<uint64_t, 8> ended{};
  for (AttemptRecorded& outcome : round.outcomes) {
    if (IsTerminal(outcome.state)) ++ended[static_cast<size_t>(outcome.state)];
    scope.NewsFor(outcome.delivery.endpoint)
        .recorded.push_back({outcome.delivery.endpoint, outcome.delivery.sequence});
    scope.Apply(Fact(std::move(outcome)));
  }
  std::vector<Answer> answers;
  uint64_t events = 0;
  uint64_t deliveries = 0;
  uint64_t duplicates = 0;
  for (PendingPublish& publish : round.publishes) {
    Answer answer{std::move(publish.done), {}};
    answer.outcomes.reserve(publish.events.size());
    for (NewEvent& event : publish.events) {
      answer.outcomes.push_back(Accept(scope, std::move(event)));
      const PublishOutcome& outcome = answer.outcomes.back();
      if (outcome.duplicate) ++duplicates;
      if (outcome.status.ok() && !outcome.duplicate) ++events;
      deliveries += outcome.deliveries;
    }
    answers.push_back(std::move(answer));
  }

  if (scope.has_facts_) {
    if (absl::Status status = store_.Commit(scope.now()); !status.ok()) {
      Fail(round, answers, status);
      return;
    }
    telemetry_.Committed(std::chrono::duration_cast<std::chrono::microseconds>(clock_.Steady() - started),
                         round.changes.size() + round.outcomes.size() + round.items, round.bytes);
  }
  open_keys_.clear();
  if (events + duplicates > 0) telemetry_.EventsAccepted(events, deliveries, duplicates);
  for (size_t state = 0; state < ended.size(); ++state) {
    if (ended[state] > 0) telemetry_.DeliveriesEnded(static_cast<DeliveryState>(state), ended[state]);
  }
  for (size_t shard = 0; shard < scope.news_.size(); ++shard) {
    if (!scope.news_[shard].empty()) tell_(shard, std::move(scope.news_[shard]));
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
      if (outcome.status.ok()) outcome = PublishOutcome{unknown, {}, false, 0};
    }
    answer.done(std::move(answer.outcomes));
  }
  for (PendingPublish& publish : publishes) {
    publish.done(std::vector<PublishOutcome>(publish.events.size(), PublishOutcome{unknown, {}, false, 0}));
  }
  for (Change& change : round.changes) change.done(unknown);
  for (Change& change : changes) change.done(unknown);
  for (const Waiter& waiter : waiters) waiter.ready();
}

}  // namespace hookd
