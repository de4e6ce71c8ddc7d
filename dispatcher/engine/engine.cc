#include "dispatcher/engine/engine.h"

#include <algorithm>
#include <utility>

#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/notification.h>
#include <boost/asio/thread_pool.hpp>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/engine/bulk_change.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine_limits.h"
#include "dispatcher/engine/housekeeper.h"
#include "dispatcher/engine/job_runner.h"
#include "dispatcher/engine/ledger.h"
#include "dispatcher/engine/registry.h"
#include "dispatcher/engine/shard.h"
#include "dispatcher/engine/shards_at_rest.h"
#include "dispatcher/engine/statistics_reads.h"
#include "dispatcher/engine/steering.h"
#include "dispatcher/engine/sweeper.h"
#include "dispatcher/engine/token_changes.h"

namespace hookd {
namespace {

constexpr size_t kReaderThreads = 2;
// While a drain waits for attempts that it cut off: how often it looks whether the store has failed.

absl::Status NoSubscriber(const std::string& id) { return absl::NotFoundError(Concat("no subscriber ", id)); }
absl::Status NoEndpoint(EndpointId id) { return absl::NotFoundError(Concat("no endpoint ", id.ToString())); }

}  // namespace

class Engine::Impl {
 public:
  Impl(EngineOptions options, DeliveryStore& store, const Clock& clock, Telemetry& telemetry,
       TransportFactory transports, std::function<void(absl::Status)> on_fatal)
      : options_(std::move(options)),
        store_(store),
        clock_(clock),
        telemetry_(telemetry),
        transports_(std::move(transports)),
        committer_(
            ForCommitter(options_), store, clock, telemetry,
            [this](size_t shard, ShardNews news) { shards_[shard]->Tell(std::move(news)); },
            std::move(on_fatal)),
        readers_(kReaderThreads),
        sweeper_(store, committer_, telemetry, readers_),
        housekeeper_(options_.tunables, store, committer_, telemetry, readers_),
        jobs_({store, clock, telemetry, committer_,
               [this](const Delivery& delivery, DeliveryState state, EndReason reason,
                      std::function<void(absl::Status)> done) {
                 ShardOf(delivery.id.endpoint).EndDelivery(delivery, state, reason, std::move(done));
               },
               *options_.profiles}),
        steering_(
            store, committer_,
            [this](std::function<void(Ledger&)> apply, const EndpointId* told) {
              return OnCommitter(std::move(apply), told);
            },
            [this](EndpointId endpoint) -> Shard& { return ShardOf(endpoint); }) {}

  ~Impl() { Stop(); }

  absl::Status Start() {
    ASSIGN_OR_RETURN(const DeliveryStore::Recovered recovered, store_.Recover());
    committer_.Recovered(recovered);
    ShardContext context{store_,          clock_,
                         telemetry_,      committer_,
                         readers_,        [this](EndpointId endpoint) { sweeper_.Sweep(endpoint); },
                         recovered.epoch, options_.user_agent};
    context.captures = options_.captures;
    context.certificates = &certificates_;
    for (size_t i = 0; i < options_.shards; ++i) {
      statistics_.push_back(std::make_unique<StatisticsTable>(
          std::max<size_t>(1, kMaxStatisticsEndpoints / options_.shards), clock_.Wall()));
      context.statistics = statistics_.back().get();
      shards_.push_back(std::make_unique<Shard>(ForShard(options_), context, transports_));
    }
    std::vector<std::vector<DeliveryStore::ActiveLane>> lanes(options_.shards);
    for (const DeliveryStore::ActiveLane& lane : recovered.lanes) {
      lanes[committer_.ShardOf(lane.id)].push_back(lane);
    }
    for (size_t i = 0; i < options_.shards; ++i) shards_[i]->Recover(recovered.operations, lanes[i]);
    committer_.Start();
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Start();
    if (recovered.restored_backup != 0) {
      RETURN_IF_ERROR(OnCommitter([&](Ledger& ledger) { ledger.NoteRestore(recovered); }));
    }
    housekeeper_.Start();
    jobs_.Start(recovered);
    started_ = true;
    return absl::OkStatus();
  }

  void Drain(Duration deadline) {
    if (drained_.exchange(true) || !started_) return;
    committer_.CloseIntake();
    jobs_.Stop();
    const auto at_rest = std::make_shared<ShardsAtRest>(shards_.size());
    for (const std::unique_ptr<Shard>& shard : shards_) {
      shard->Quiesce([at_rest] { at_rest->One(); });
    }
    if (!at_rest->Wait(deadline)) {
      for (const std::unique_ptr<Shard>& shard : shards_) shard->CancelAll();
      // After a failed commit nothing is recorded any more.
      while (!at_rest->Wait(kFailurePoll) && !committer_.failed()) {
      }
    }
    // What was accepted may take several commits; the one after the last taken is behind all of them.
    do {
      OnCommitter([](Ledger&) {}).IgnoreError();
    } while (committer_.intake_events() > 0 && !committer_.failed());
    OnCommitter([](Ledger&) {}).IgnoreError();
  }

  void Stop() {
    jobs_.Stop();  // its steps need the shards and the committer
    housekeeper_.Stop();
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Stop();
    committer_.Stop();
    readers_.stop();
    readers_.join();
  }

  // Runs `apply` on the committer's thread and returns once its commit is on disk; if `shard` was set by it,
  // also once that shard acts on it.
  absl::Status OnCommitter(std::function<void(Ledger&)> apply, const EndpointId* told = nullptr) {
    absl::Status result;
    absl::Notification finished;
    const bool taken = committer_.Submit({std::move(apply), [&](const absl::Status& status) {
                                            result = status;
                                            if (told == nullptr || told->value == 0 || !status.ok()) {
                                              finished.Notify();
                                            } else {
                                              ShardOf(*told).Post([&finished] { finished.Notify(); });
                                            }
                                          }});
    if (!taken) return absl::UnavailableError("hookd is shutting down");
    finished.WaitForNotification();
    return result;
  }

  Shard& ShardOf(EndpointId endpoint) { return *shards_[committer_.ShardOf(endpoint)]; }

  static absl::StatusOr<Registry::Account*> FindAccount(Ledger& ledger, const std::string& id,
                                                        std::string_view field = "") {
    absl::StatusOr<Registry::Account*> account = ledger.registry().Find(id);
    if (account.ok() && *account == nullptr) {
      return field.empty() ? NoSubscriber(id)
                           : absl::NotFoundError(Concat(field, ": no subscriber ", id, ": create it first"));
    }
    return account;
  }

  static absl::StatusOr<std::shared_ptr<const Endpoint>> FindEndpoint(Ledger& ledger, EndpointId id) {
    absl::StatusOr<std::shared_ptr<const Endpoint>> endpoint = ledger.registry().Find(id);
    if (endpoint.ok() && *endpoint == nullptr) return NoEndpoint(id);
    return endpoint;
  }

  static absl::StatusOr<EndpointView> View(Ledger& ledger, std::shared_ptr<const Endpoint> endpoint) {
    const LaneState* lane = ledger.store().Lane(endpoint->id);
    if (lane == nullptr) return absl::UnavailableError("the store cannot be read: hookd is restarting");
    return EndpointView{std::move(endpoint), *lane};
  }

  static SubscriberView View(const Registry::Account& account) {
    return {account.subscriber, static_cast<uint32_t>(account.endpoints.size())};
  }

  // Runs `apply` as OnCommitter does; its value is the result, unless the commit fails.
  template <typename T>
  absl::StatusOr<T> Ask(const std::function<absl::StatusOr<T>(Ledger&)>& apply,
                        const EndpointId* told = nullptr) {
    absl::StatusOr<T> result = absl::UnknownError("");
    RETURN_IF_ERROR(OnCommitter([&](Ledger& ledger) { result = apply(ledger); }, told));
    return result;
  }

  absl::StatusOr<SubscriberView> CreateSubscriber(Subscriber subscriber) {
    return Ask<SubscriberView>([&](Ledger& ledger) -> absl::StatusOr<SubscriberView> {
      ASSIGN_OR_RETURN(const Registry::Account* existing, ledger.registry().Find(subscriber.id));
      if (existing != nullptr) {
        return absl::AlreadyExistsError(Concat("id: subscriber ", subscriber.id, " exists already"));
      }
      subscriber.created_ms = subscriber.updated_ms = ledger.now();
      ledger.PutSubscriber(subscriber);
      return SubscriberView{subscriber, 0};
    });
  }

  absl::StatusOr<SubscriberView> UpdateSubscriber(const std::string& id,
                                                  const std::function<absl::Status(Subscriber&)>& change) {
    bool told = false;
    absl::StatusOr<SubscriberView> result =
        Ask<SubscriberView>([&](Ledger& ledger) -> absl::StatusOr<SubscriberView> {
          ASSIGN_OR_RETURN(const Registry::Account* account, FindAccount(ledger, id));
          Subscriber changed = account->subscriber;
          RETURN_IF_ERROR(change(changed));
          changed.updated_ms = ledger.now();
          told = changed.paused != account->subscriber.paused ||
                 changed.held_channels != account->subscriber.held_channels;
          ledger.PutSubscriber(changed);
          if (told) {
            for (const auto& [endpoint_id, endpoint] : account->endpoints) ledger.Tell(*account, endpoint);
          }
          return View(*account);
        });
    if (result.ok() && told) WaitForShards();
    return result;
  }

  absl::Status DeleteSubscriber(const std::string& id) {
    return ChangeTokens([&](Ledger& ledger) -> absl::Status {
      ASSIGN_OR_RETURN(const Registry::Account* account, FindAccount(ledger, id));
      if (!account->endpoints.empty()) {
        return absl::FailedPreconditionError(
            Concat("subscriber ", id, " has ", account->endpoints.size(), " endpoints: delete them first"));
      }
      RETURN_IF_ERROR(ReleaseTokens(ledger, id));
      ledger.RemoveSubscriber(id);
      return absl::OkStatus();
    });
  }

  absl::Status ChangeTokens(const std::function<absl::Status(Ledger&)>& change) {
    absl::Status changed;
    const absl::Status committed = OnCommitter([&](Ledger& ledger) { changed = change(ledger); });
    ++token_changes;
    return committed.ok() ? changed : committed;
  }
  std::atomic<uint64_t> token_changes{0};  // calls that made, changed or ended tokens

  // `update`, and new URLs keep to the rules.
  EndpointUpdate Checked(EndpointUpdate update) const {
    return [this, update = std::move(update)](Endpoint& endpoint, WallMs now, bool& reset_failures) {
      const Endpoint before = endpoint;
      RETURN_IF_ERROR(update(endpoint, now, reset_failures));
      return CheckNewUrls(options_.egress.get(), before, endpoint);
    };
  }

  absl::StatusOr<EndpointView> CreateEndpoint(Endpoint endpoint, const EndpointChange& finish) {
    RETURN_IF_ERROR(CheckNewUrls(options_.egress.get(), {}, endpoint));
    EndpointId told;
    return Ask<EndpointView>(
        [&](Ledger& ledger) -> absl::StatusOr<EndpointView> {
          ASSIGN_OR_RETURN(const Registry::Account* account,
                           FindAccount(ledger, endpoint.subscriber_id, "subscriber_id"));
          if (finish != nullptr) RETURN_IF_ERROR(finish({account->subscriber, account->endpoints}, endpoint));
          endpoint.id = ledger.NextEndpointId(endpoint.subscriber_id);
          endpoint.created_ms = endpoint.updated_ms = ledger.now();
          SettleKeys({}, endpoint.signing_keys, ledger.now());
          if (endpoint.disabled != DisableReason::kNone) endpoint.disabled_ms = ledger.now();
          auto created = std::make_shared<const Endpoint>(std::move(endpoint));
          ledger.PutEndpoint(created);
          told = created->id;
          return View(ledger, std::move(created));
        },
        &told);
  }

  absl::StatusOr<EndpointView> UpdateEndpoint(EndpointId id, const EndpointUpdate& update) {
    EndpointId told;
    return Ask<EndpointView>(
        [&](Ledger& ledger) {
          // A URL that is refused by now may stay; it fails at each attempt.
          absl::StatusOr<EndpointView> updated = ApplyUpdate(ledger, id, Checked(update));
          if (updated.ok()) told = id;
          return updated;
        },
        &told);
  }

  absl::StatusOr<EndpointView> UpdateEndpoint(EndpointId id, const EndpointChange& change) {
    EndpointId told;
    return Ask<EndpointView>(
        [&](Ledger& ledger) -> absl::StatusOr<EndpointView> {
          ASSIGN_OR_RETURN(const std::shared_ptr<const Endpoint> current, FindEndpoint(ledger, id));
          ASSIGN_OR_RETURN(const Registry::Account* account, FindAccount(ledger, current->subscriber_id));
          absl::StatusOr<EndpointView> updated =
              ApplyUpdate(ledger, id, Checked([&](Endpoint& endpoint, WallMs, bool&) {
                            return change({account->subscriber, account->endpoints}, endpoint);
                          }));
          if (updated.ok()) told = id;
          return updated;
        },
        &told);
  }

  absl::StatusOr<BulkResult> ChangeEndpoints(const BulkChange& change) {
    return ChangeInBulk(store_, change, [this](const std::function<void(Ledger&)>& apply) {
      RETURN_IF_ERROR(OnCommitter(apply));
      WaitForShards();
      return absl::OkStatus();
    });
  }

  absl::Status DeleteEndpoint(EndpointId id) {
    EndpointId told;
    return Ask<bool>(
               [&](Ledger& ledger) -> absl::StatusOr<bool> {
                 ASSIGN_OR_RETURN(const std::shared_ptr<const Endpoint> endpoint, FindEndpoint(ledger, id));
                 ledger.RemoveEndpoint(*endpoint);
                 told = id;
                 return true;
               },
               &told)
        .status();
  }

  // Every shard acts on it once this returns.
  absl::Status ChangeOperations(const std::function<void(Operations&, WallMs)>& change) {
    RETURN_IF_ERROR(OnCommitter([&](Ledger& ledger) {
      Operations operations = ledger.operations();
      change(operations, ledger.now());
      if (operations != ledger.operations()) ledger.SetOperations(std::move(operations));
    }));
    WaitForShards();
    return absl::OkStatus();
  }

  // Every shard acts on what it was told before this call.
  void WaitForShards() {
    absl::BlockingCounter waiting(static_cast<int>(shards_.size()));
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Post([&waiting] { waiting.DecrementCount(); });
    waiting.Wait();
  }

  EngineStatus Status() {
    EngineStatus status;
    status.draining = drained_;
    status.subscribers = committer_.subscribers();
    status.endpoints = committer_.endpoints();
    status.endpoints_disabled = committer_.endpoints_disabled();
    status.endpoints_paused = committer_.endpoints_paused();
    for (const std::unique_ptr<Shard>& shard : shards_) status.attempts_in_flight += shard->in_flight();
    status.intake_bytes = committer_.intake_bytes();
    status.operations = committer_.operations();
    status.intake_closed = committer_.intake_held();
    status.auto_disable_suspended = committer_.auto_disable_suspended();
    status.jobs_running = jobs_.table().running();
    status.certificates = certificates_.Read(clock_.Wall());
    status.store = store_.Stats();
    status.secrets = store_.Secrets();
    return status;
  }

  void Tune(const EngineTunables& tunables) { housekeeper_.Tune(tunables); }
  LaneGauges Survey() {
    LaneGauges sum;
    for (const std::unique_ptr<Shard>& shard : shards_) sum += shard->Survey();
    return sum;
  }

  uint64_t Surveys() const {
    uint64_t least = UINT64_MAX;
    for (const std::unique_ptr<Shard>& shard : shards_) least = std::min(least, shard->surveys());
    return least;
  }

  WallMs now() const { return clock_.Wall(); }
  // A capture that is over is not there any more, although nobody has written that yet.
  void HideOverCapture(EndpointView& view) const {
    if (!view.endpoint->capture || Capturing(*view.endpoint, clock_.Wall())) return;
    auto without = std::make_shared<Endpoint>(*view.endpoint);
    without->capture.reset();
    view.endpoint = std::move(without);
  }

  Committer& committer() { return committer_; }
  const Profiles& profiles() const { return *options_.profiles; }
  DeliveryStore& store() { return store_; }
  JobRunner& jobs() { return jobs_; }
  StatisticsContext statistics() { return {store_, table_of_, statistics_, clock_.Read()}; }
  const Steering& steering() const { return steering_; }

 private:
  const EngineOptions options_;
  DeliveryStore& store_;
  const Clock& clock_;
  Telemetry& telemetry_;
  const TransportFactory transports_;
  CertificateWatch certificates_{telemetry_};
  Committer committer_;
  boost::asio::thread_pool readers_;
  Sweeper sweeper_;
  Housekeeper housekeeper_;
  JobRunner jobs_;
  std::vector<std::unique_ptr<StatisticsTable>> statistics_;  // by shard
  const std::function<const StatisticsTable&(EndpointId)> table_of_ =
      [this](EndpointId endpoint) -> const StatisticsTable& {
    return *statistics_[committer_.ShardOf(endpoint)];
  };
  const Steering steering_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<bool> drained_{false};
  bool started_ = false;
};

Engine::Engine(EngineOptions options, DeliveryStore& store, const Clock& clock, Telemetry& telemetry,
               TransportFactory transports, std::function<void(absl::Status)> on_fatal)
    : impl_(std::make_unique<Impl>(std::move(options), store, clock, telemetry, std::move(transports),
                                   std::move(on_fatal))) {}
Engine::~Engine() = default;

absl::Status Engine::Start() { return impl_->Start(); }
void Engine::Drain(Duration deadline) { impl_->Drain(deadline); }
void Engine::Stop() { impl_->Stop(); }
absl::Status Engine::Publish(std::vector<NewEvent> events, PublishDone done) {
  return impl_->committer().Publish(std::move(events), std::move(done));
}
absl::Status Engine::CheckContent(NewEvent& event) const {
  const LoadedProfile* profile = impl_->committer().strict_subscribers().Find(event.event.subscriber_id);
  if (profile == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(profile->CheckEvent(event.event.type, event.event.payload));
  event.checked = profile;
  return absl::OkStatus();
}
const Profiles& Engine::profiles() const { return impl_->profiles(); }
void Engine::WhenRoom(IntakeDemand demand, std::function<void()> ready) {
  impl_->committer().WhenRoom(std::move(demand), std::move(ready));
}
absl::StatusOr<SubscriberView> Engine::CreateSubscriber(Subscriber subscriber) {
  return impl_->CreateSubscriber(std::move(subscriber));
}
absl::StatusOr<SubscriberView> Engine::GetSubscriber(const std::string& id) {
  absl::StatusOr<SubscriberView> found = impl_->store().ReadSubscriber(id);
  if (absl::IsNotFound(found.status())) return NoSubscriber(id);
  return found;
}
absl::StatusOr<std::vector<SubscriberView>> Engine::ListSubscribers(const std::string& after, size_t limit) {
  return impl_->store().ListSubscribers(after, limit);
}
absl::StatusOr<SubscriberView> Engine::UpdateSubscriber(const std::string& id,
                                                        std::function<absl::Status(Subscriber&)> change) {
  return impl_->UpdateSubscriber(id, change);
}
absl::Status Engine::DeleteSubscriber(const std::string& id) { return impl_->DeleteSubscriber(id); }
absl::StatusOr<EndpointView> Engine::CreateEndpoint(Endpoint endpoint, const EndpointChange& finish) {
  return impl_->CreateEndpoint(std::move(endpoint), finish);
}
absl::StatusOr<EndpointView> Engine::GetEndpoint(EndpointId id) {
  absl::StatusOr<EndpointView> found = impl_->store().ReadEndpoint(id);
  if (absl::IsNotFound(found.status())) return NoEndpoint(id);
  if (found.ok()) impl_->HideOverCapture(*found);
  return found;
}
absl::StatusOr<std::vector<EndpointView>> Engine::ListEndpoints(const std::string& subscriber_id,
                                                                EndpointId after, size_t limit) {
  absl::StatusOr<std::vector<EndpointView>> found = impl_->store().ListEndpoints(subscriber_id, after, limit);
  if (found.ok()) {
    for (EndpointView& view : *found) impl_->HideOverCapture(view);
  }
  return found;
}
absl::StatusOr<EndpointView> Engine::UpdateEndpoint(EndpointId id,
                                                    std::function<absl::Status(Endpoint&)> change) {
  return impl_->UpdateEndpoint(id, [&](Endpoint& endpoint, WallMs, bool&) { return change(endpoint); });
}
absl::StatusOr<EndpointView> Engine::UpdateEndpoint(EndpointId id, const EndpointChange& change) {
  return impl_->UpdateEndpoint(id, change);
}
absl::StatusOr<EndpointView> Engine::EndpointVerified(EndpointId id,
                                                      std::function<absl::Status(Endpoint&)> change) {
  return impl_->UpdateEndpoint(id, [&](Endpoint& endpoint, WallMs, bool& reset_failures) {
    RETURN_IF_ERROR(change(endpoint));
    if (endpoint.disabled != DisableReason::kUnverified) return absl::OkStatus();
    endpoint.disabled = DisableReason::kNone;
    endpoint.disabled_ms = 0;
    reset_failures = true;
    return absl::OkStatus();
  });
}
absl::StatusOr<EndpointView> Engine::RotateSecret(EndpointId id, const SigningKey& key, Millis overlap) {
  return impl_->UpdateEndpoint(id, [&](Endpoint& endpoint, WallMs now, bool&) {
    return Rotate(endpoint.signing_keys, key, overlap, now);
  });
}
absl::Status Engine::DeleteEndpoint(EndpointId id) { return impl_->DeleteEndpoint(id); }
absl::StatusOr<EndpointView> Engine::EnableEndpoint(EndpointId id, const std::string& note) {
  return impl_->UpdateEndpoint(id, UpdateFor(EndpointAction::kEnable, note));
}
absl::StatusOr<EndpointView> Engine::EnableProbed(const Endpoint& probed, const std::string& note) {
  return impl_->UpdateEndpoint(probed.id, UpdateForProbed(probed, note));
}
absl::StatusOr<EndpointView> Engine::DisableEndpoint(EndpointId id, const std::string& note) {
  return impl_->UpdateEndpoint(id, UpdateFor(EndpointAction::kDisable, note));
}
absl::StatusOr<EndpointView> Engine::SetEndpointPaused(EndpointId id, bool paused, const std::string& note) {
  return impl_->UpdateEndpoint(id,
                               UpdateFor(paused ? EndpointAction::kPause : EndpointAction::kResume, note));
}
absl::StatusOr<MadeToken> Engine::MakeToken(AccessToken token, OldTokens old) {
  absl::StatusOr<MadeToken> made =
      impl_->Ask<MadeToken>([&](Ledger& ledger) { return hookd::MakeToken(ledger, std::move(token), old); });
  ++impl_->token_changes;
  if (made.ok() && !made->token.subscriber_ids.empty()) impl_->WaitForShards();  // URLs may be gone
  return made;
}
absl::StatusOr<AccessToken> Engine::GetToken(uint64_t id) { return impl_->store().ReadToken(id); }
absl::StatusOr<std::vector<AccessToken>> Engine::ListTokens(const std::string& subscriber_id, uint64_t after,
                                                            size_t limit) {
  return impl_->store().ListTokens(subscriber_id, after, limit);
}
absl::Status Engine::RevokeToken(uint64_t id) {
  return impl_->ChangeTokens([id](Ledger& ledger) { return hookd::RevokeToken(ledger, id); });
}
uint64_t Engine::TokenChanges() const { return impl_->token_changes; }
absl::StatusOr<AccessToken> Engine::Authenticate(std::string_view text) {
  return TokenOf(impl_->store(), text, impl_->now());
}
absl::Status Engine::SetPaused(bool paused, const std::string& note) {
  return impl_->ChangeOperations([&](Operations& operations, WallMs now) {
    if (paused != operations.paused) operations.paused_ms = paused ? now : 0;
    operations.paused = paused;
    operations.pause_note = note;
  });
}
absl::Status Engine::ConfirmClock() {
  return impl_->ChangeOperations([](Operations& operations, WallMs) { operations.clock_suspect = false; });
}
absl::StatusOr<DeliveryView> Engine::GetDelivery(DeliveryId id) { return impl_->steering().View(id); }
absl::StatusOr<std::shared_ptr<const Event>> Engine::GetEvent(EventId id) {
  return impl_->store().ReadEvent(id);
}
absl::StatusOr<EventPage> Engine::ListEvents(const EventQuery& query) {
  return impl_->store().ListEvents(query);
}
absl::StatusOr<AuditRecord> Engine::GetAudit(uint64_t number) { return impl_->store().ReadAudit(number); }
absl::StatusOr<AuditPage> Engine::ListAudit(const AuditQuery& query) {
  return impl_->store().ListAudit(query);
}
absl::Status Engine::NoteAudit(AuditChange change) {
  return impl_->OnCommitter([&change](Ledger& ledger) { ledger.Note(std::move(change)); });
}
NewestEvents Engine::newest_events() const { return impl_->committer().newest_events(); }
std::string Engine::MailCursor() const { return impl_->committer().mail_cursor(); }
absl::Status Engine::SaveMailCursor(const std::string& text) {
  return impl_->OnCommitter([&text](Ledger& ledger) { ledger.SetMailCursor(text); });
}
absl::StatusOr<std::vector<DeliveryId>> Engine::DeliveriesOf(const Event& event, size_t limit) {
  return impl_->store().DeliveriesOf(event, limit);
}
absl::StatusOr<ChangePage> Engine::ReadChanges(uint64_t after_commit, size_t limit) {
  return impl_->store().ReadChanges(after_commit, limit);
}
uint64_t Engine::last_commit() const { return impl_->store().LastCommit(); }
absl::StatusOr<DeliveryView> Engine::RetryDelivery(DeliveryId id) { return impl_->steering().Retry(id); }
absl::StatusOr<DeliveryView> Engine::CancelDelivery(DeliveryId id) { return impl_->steering().Cancel(id); }
absl::StatusOr<Job> Engine::StartJob(Job job, bool dry_run) {
  return impl_->jobs().StartJob(std::move(job), dry_run);
}
absl::StatusOr<Job> Engine::GetJob(uint64_t id) { return impl_->jobs().table().Get(id); }
absl::StatusOr<std::vector<Job>> Engine::ListJobs(uint64_t before, size_t limit, bool running_only) {
  return impl_->jobs().table().List(before, limit, running_only);
}
absl::StatusOr<Job> Engine::CancelJob(uint64_t id) { return impl_->jobs().CancelJob(id); }
absl::StatusOr<BulkResult> Engine::ChangeEndpoints(const BulkChange& change) {
  return impl_->ChangeEndpoints(change);
}
absl::StatusOr<Statistics> Engine::EndpointStatistics(EndpointId id, StatWindow window) {
  absl::StatusOr<Statistics> found = ReadEndpointStatistics(impl_->statistics(), id, window);
  if (absl::IsNotFound(found.status())) return NoEndpoint(id);
  return found;
}
absl::StatusOr<Statistics> Engine::SubscriberStatistics(const std::string& id, StatWindow window) {
  absl::StatusOr<Statistics> found = ReadSubscriberStatistics(impl_->statistics(), id, window);
  if (absl::IsNotFound(found.status())) return NoSubscriber(id);
  return found;
}
absl::StatusOr<std::vector<TopEndpoint>> Engine::TopEndpoints(TopBy by, StatWindow window, size_t limit,
                                                              const std::string& subscriber_id) {
  absl::StatusOr<std::vector<TopEndpoint>> top =
      ReadTopEndpoints(impl_->statistics(), by, window, limit, subscriber_id);
  if (absl::IsNotFound(top.status())) return NoSubscriber(subscriber_id);
  return top;
}
absl::StatusOr<DeliveryPage> Engine::ListDeliveries(const DeliveryQuery& query) {
  return impl_->store().ListDeliveries(query);
}
EngineStatus Engine::Status() { return impl_->Status(); }
void Engine::Tune(const EngineTunables& tunables) { impl_->Tune(tunables); }
LaneGauges Engine::Survey() { return impl_->Survey(); }
uint64_t Engine::Surveys() const { return impl_->Surveys(); }

}  // namespace hookd
