#include "dispatcher/engine/engine.h"

#include <algorithm>
#include <utility>

#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/notification.h>
#include <boost/asio/thread_pool.hpp>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/registry.h"
#include "dispatcher/engine/shard.h"
#include "dispatcher/engine/sweeper.h"

namespace hookd {
namespace {

constexpr size_t kReaderThreads = 2;

// While a drain waits for attempts that it cut off: how often it looks whether the store has failed.
constexpr std::chrono::milliseconds kFailurePoll{100};

// Shared with the shards, which may be late.
class ShardsAtRest {
 public:
  explicit ShardsAtRest(size_t shards) : left_(shards) {}
  void One() {
    if (left_.fetch_sub(1) == 1) all_.Notify();
  }
  bool Wait(Duration timeout) { return all_.WaitForNotificationWithTimeout(absl::FromChrono(timeout)); }

 private:
  std::atomic<size_t> left_;
  absl::Notification all_;
};

absl::Status NoSubscriber(const std::string& id) { return absl::NotFoundError(Concat("no subscriber ", id)); }
absl::Status NoEndpoint(EndpointId id) { return absl::NotFoundError(Concat("no endpoint ", id.ToString())); }

CommitterOptions ForCommitter(const EngineOptions& options) {
  return {options.shards, options.intake_bytes, options.commit_max_items, options.commit_max_bytes};
}

SchedulerLimits ForShard(const EngineOptions& options) {
  SchedulerLimits limits;
  limits.lane = {options.window_items, options.parked_per_lane};
  limits.max_in_flight = std::max<size_t>(1, options.max_in_flight / options.shards);
  limits.window_bytes = options.window_bytes / options.shards;
  return limits;
}

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
        sweeper_(store, committer_, telemetry, readers_) {}

  ~Impl() { Stop(); }

  absl::Status Start() {
    ASSIGN_OR_RETURN(const DeliveryStore::Recovered recovered, store_.Recover());
    committer_.Recovered(recovered);
    Registry registry;  // a copy for this thread: the committer's own belongs to its thread
    for (const Subscriber& subscriber : recovered.subscribers) registry.Put(subscriber);
    for (const std::shared_ptr<const Endpoint>& endpoint : recovered.endpoints) registry.Put(endpoint);
    const ShardContext context{store_,          clock_,
                               telemetry_,      committer_,
                               readers_,        [this](EndpointId endpoint) { sweeper_.Sweep(endpoint); },
                               recovered.epoch, options_.user_agent};
    for (size_t i = 0; i < options_.shards; ++i) {
      shards_.push_back(std::make_unique<Shard>(ForShard(options_), context, transports_));
    }
    for (const auto& [id, lane] : recovered.lanes) {
      std::shared_ptr<const Endpoint> endpoint = registry.Find(id);
      const bool paused = endpoint != nullptr && registry.Paused(*endpoint);
      ShardOf(id).Recover(id, std::move(endpoint), paused, lane);
    }
    committer_.Start();
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Start();
    started_ = true;
    return absl::OkStatus();
  }

  void Drain(Duration deadline) {
    if (drained_.exchange(true) || !started_) return;
    committer_.CloseIntake();
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
      OnCommitter([](Committer::Scope&) {}).IgnoreError();
    } while (committer_.intake_events() > 0 && !committer_.failed());
    OnCommitter([](Committer::Scope&) {}).IgnoreError();
  }

  void Stop() {
    for (const std::unique_ptr<Shard>& shard : shards_) shard->Stop();
    committer_.Stop();
    readers_.join();
  }

  // Runs `apply` on the committer's thread and returns once its commit is on disk; if `shard` was set by it,
  // also once that shard acts on it.
  absl::Status OnCommitter(std::function<void(Committer::Scope&)> apply, const EndpointId* told = nullptr) {
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

  static EndpointView View(Committer::Scope& scope, const std::shared_ptr<const Endpoint>& endpoint) {
    return {endpoint, *scope.store().Lane(endpoint->id)};
  }

  static SubscriberView View(const Registry::Account& account) {
    return {account.subscriber, static_cast<uint32_t>(account.endpoints.size())};
  }

  static void Configure(Committer::Scope& scope, const std::shared_ptr<const Endpoint>& endpoint) {
    scope.NewsFor(endpoint->id).configured.push_back({endpoint, scope.registry().Paused(*endpoint)});
  }

  absl::StatusOr<SubscriberView> CreateSubscriber(Subscriber subscriber) {
    absl::StatusOr<SubscriberView> result = absl::UnknownError("");
    RETURN_IF_ERROR(OnCommitter([&](Committer::Scope& scope) {
      if (scope.registry().Find(subscriber.id) != nullptr) {
        result = absl::AlreadyExistsError(Concat("id: subscriber ", subscriber.id, " exists already"));
        return;
      }
      subscriber.created_ms = subscriber.updated_ms = scope.now();
      scope.registry().Put(subscriber);
      scope.Apply(SubscriberChanged{subscriber});
      result = SubscriberView{subscriber, 0};
    }));
    return result;
  }

  absl::StatusOr<SubscriberView> GetSubscriber(const std::string& id) {
    absl::StatusOr<SubscriberView> result = absl::UnknownError("");
    RETURN_IF_ERROR(OnCommitter([&](Committer::Scope& scope) {
      const Registry::Account* account = scope.registry().Find(id);
      result = account == nullptr ? absl::StatusOr<SubscriberView>(NoSubscriber(id)) : View(*account);
    }));
    return result;
  }

  std::vector<SubscriberView> ListSubscribers(const std::string& after, size_t limit) {
    std::vector<SubscriberView> result;
    OnCommitter([&](Committer::Scope& scope) {
      const auto& accounts = scope.registry().accounts();
      for (auto it = accounts.upper_bound(after); it != accounts.end() && result.size() < limit; ++it) {
        result.push_back(View(it->second));
      }
    }).IgnoreError();
    return result;
  }

  absl::StatusOr<SubscriberView> UpdateSubscriber(const std::string& id,
                                                  const std::function<absl::Status(Subscriber&)>& change) {
    absl::StatusOr<SubscriberView> result = absl::UnknownError("");
    std::vector<EndpointId> endpoints;
    RETURN_IF_ERROR(OnCommitter([&](Committer::Scope& scope) {
      const Registry::Account* account = scope.registry().Find(id);
      if (account == nullptr) {
        result = NoSubscriber(id);
        return;
      }
      Subscriber changed = account->subscriber;
      if (absl::Status status = change(changed); !status.ok()) {
        result = status;
        return;
      }
      changed.updated_ms = scope.now();
      const bool other_pause = changed.paused != account->subscriber.paused;
      scope.registry().Put(changed);
      scope.Apply(SubscriberChanged{changed});
      if (other_pause) {
        for (const auto& [endpoint_id, endpoint] : account->endpoints) {
          Configure(scope, endpoint);
          endpoints.push_back(endpoint_id);
        }
      }
      result = View(*account);
    }));
    if (!endpoints.empty()) WaitForShards();
    return result;
  }

  absl::Status DeleteSubscriber(const std::string& id) {
    absl::Status result;
    RETURN_IF_ERROR(OnCommitter([&](Committer::Scope& scope) {
      const Registry::Account* account = scope.registry().Find(id);
      if (account == nullptr) {
        result = NoSubscriber(id);
      } else if (!account->endpoints.empty()) {
        result = absl::FailedPreconditionError(
            Concat("subscriber ", id, " has ", account->endpoints.size(), " endpoints: delete them first"));
      } else {
        scope.registry().Remove(id);
        scope.Apply(SubscriberDeleted{id});
      }
    }));
    return result;
  }

  absl::StatusOr<EndpointView> CreateEndpoint(Endpoint endpoint) {
    absl::StatusOr<EndpointView> result = absl::UnknownError("");
    EndpointId told;
    RETURN_IF_ERROR(OnCommitter(
        [&](Committer::Scope& scope) {
          if (scope.registry().Find(endpoint.subscriber_id) == nullptr) {
            result = absl::NotFoundError(
                Concat("subscriber_id: no subscriber ", endpoint.subscriber_id, ": create it first"));
            return;
          }
          endpoint.id = scope.NextEndpointId(endpoint.subscriber_id);
          endpoint.created_ms = endpoint.updated_ms = scope.now();
          auto created = std::make_shared<const Endpoint>(std::move(endpoint));
          scope.registry().Put(created);
          scope.Apply(EndpointChanged{created});
          Configure(scope, created);
          told = created->id;
          result = View(scope, created);
        },
        &told));
    return result;
  }

  absl::StatusOr<EndpointView> GetEndpoint(EndpointId id) {
    absl::StatusOr<EndpointView> result = absl::UnknownError("");
    RETURN_IF_ERROR(OnCommitter([&](Committer::Scope& scope) {
      const std::shared_ptr<const Endpoint> endpoint = scope.registry().Find(id);
      result = endpoint == nullptr ? absl::StatusOr<EndpointView>(NoEndpoint(id)) : View(scope, endpoint);
    }));
    return result;
  }

  std::vector<EndpointView> ListEndpoints(const std::string& subscriber_id, EndpointId after, size_t limit) {
    std::vector<EndpointView> result;
    OnCommitter([&](Committer::Scope& scope) {
      const auto* endpoints = &scope.registry().endpoints();
      if (!subscriber_id.empty()) {
        const Registry::Account* account = scope.registry().Find(subscriber_id);
        if (account == nullptr) return;
        endpoints = &account->endpoints;
      }
      for (auto it = endpoints->upper_bound(after); it != endpoints->end() && result.size() < limit; ++it) {
        result.push_back(View(scope, it->second));
      }
    }).IgnoreError();
    return result;
  }

  absl::StatusOr<EndpointView> UpdateEndpoint(EndpointId id,
                                              const std::function<absl::Status(Endpoint&)>& change) {
    absl::StatusOr<EndpointView> result = absl::UnknownError("");
    EndpointId told;
    RETURN_IF_ERROR(OnCommitter(
        [&](Committer::Scope& scope) {
          const std::shared_ptr<const Endpoint> current = scope.registry().Find(id);
          if (current == nullptr) {
            result = NoEndpoint(id);
            return;
          }
          auto changed = std::make_shared<Endpoint>(*current);
          if (absl::Status status = change(*changed); !status.ok()) {
            result = status;
            return;
          }
          HOOKD_CHECK(changed->id == id && changed->subscriber_id == current->subscriber_id,
                      "ids are immutable");
          changed->updated_ms = scope.now();
          scope.registry().Put(changed);
          scope.Apply(EndpointChanged{changed});
          Configure(scope, changed);
          told = id;
          result = View(scope, changed);
        },
        &told));
    return result;
  }

  absl::Status DeleteEndpoint(EndpointId id) {
    absl::Status result;
    EndpointId told;
    RETURN_IF_ERROR(OnCommitter(
        [&](Committer::Scope& scope) {
          if (scope.registry().Find(id) == nullptr) {
            result = NoEndpoint(id);
            return;
          }
          scope.registry().Remove(id);
          scope.Apply(EndpointDeleted{id});
          scope.NewsFor(id).deleted.push_back(id);
          told = id;
        },
        &told));
    return result;
  }

  absl::StatusOr<EndpointView> SetDisabled(EndpointId id, bool disabled, const std::string& note) {
    return UpdateEndpoint(id, [&](Endpoint& endpoint) {
      endpoint.state_note = note;
      if (disabled == (endpoint.disabled != DisableReason::kNone)) return absl::OkStatus();
      endpoint.disabled = disabled ? DisableReason::kPerson : DisableReason::kNone;
      endpoint.disabled_ms = disabled ? clock_.Wall() : 0;
      return absl::OkStatus();
    });
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
    for (const std::unique_ptr<Shard>& shard : shards_) status.attempts_in_flight += shard->in_flight();
    status.intake_bytes = committer_.intake_bytes();
    status.store = store_.Stats();
    return status;
  }

  Committer& committer() { return committer_; }
  DeliveryStore& store() { return store_; }

 private:
  const EngineOptions options_;
  DeliveryStore& store_;
  const Clock& clock_;
  Telemetry& telemetry_;
  const TransportFactory transports_;
  Committer committer_;
  boost::asio::thread_pool readers_;
  Sweeper sweeper_;
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
void Engine::WhenRoom(size_t payload_bytes, size_t events, std::function<void()> ready) {
  impl_->committer().WhenRoom(payload_bytes, events, std::move(ready));
}
absl::StatusOr<SubscriberView> Engine::CreateSubscriber(Subscriber subscriber) {
  return impl_->CreateSubscriber(std::move(subscriber));
}
absl::StatusOr<SubscriberView> Engine::GetSubscriber(const std::string& id) {
  return impl_->GetSubscriber(id);
}
std::vector<SubscriberView> Engine::ListSubscribers(const std::string& after, size_t limit) {
  return impl_->ListSubscribers(after, limit);
}
absl::StatusOr<SubscriberView> Engine::UpdateSubscriber(const std::string& id,
                                                        std::function<absl::Status(Subscriber&)> change) {
  return impl_->UpdateSubscriber(id, change);
}
absl::Status Engine::DeleteSubscriber(const std::string& id) { return impl_->DeleteSubscriber(id); }
absl::StatusOr<EndpointView> Engine::CreateEndpoint(Endpoint endpoint) {
  return impl_->CreateEndpoint(std::move(endpoint));
}
absl::StatusOr<EndpointView> Engine::GetEndpoint(EndpointId id) { return impl_->GetEndpoint(id); }
std::vector<EndpointView> Engine::ListEndpoints(const std::string& subscriber_id, EndpointId after,
                                                size_t limit) {
  return impl_->ListEndpoints(subscriber_id, after, limit);
}
absl::StatusOr<EndpointView> Engine::UpdateEndpoint(EndpointId id,
                                                    std::function<absl::Status(Endpoint&)> change) {
  return impl_->UpdateEndpoint(id, change);
}
absl::Status Engine::DeleteEndpoint(EndpointId id) { return impl_->DeleteEndpoint(id); }
absl::StatusOr<EndpointView> Engine::EnableEndpoint(EndpointId id, const std::string& note) {
  return impl_->SetDisabled(id, false, note);
}
absl::StatusOr<EndpointView> Engine::DisableEndpoint(EndpointId id, const std::string& note) {
  return impl_->SetDisabled(id, true, note);
}
absl::StatusOr<EndpointView> Engine::SetEndpointPaused(EndpointId id, bool paused, const std::string& note) {
  return impl_->UpdateEndpoint(id, [&](Endpoint& endpoint) {
    endpoint.paused = paused;
    endpoint.state_note = note;
    return absl::OkStatus();
  });
}
absl::Status Engine::SetPaused(bool, const std::string&) { return absl::UnimplementedError("not yet"); }
absl::Status Engine::ConfirmClock() { return absl::UnimplementedError("not yet"); }
absl::StatusOr<Delivery> Engine::GetDelivery(DeliveryId id) { return impl_->store().ReadDelivery(id); }
absl::StatusOr<DeliveryPage> Engine::ListDeliveries(const DeliveryQuery& query) {
  return impl_->store().ListDeliveries(query);
}
EngineStatus Engine::Status() { return impl_->Status(); }

}  // namespace hookd
