#include "tests/fault/life.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include <absl/synchronization/notification.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/event_rules.h"
#include "tests/fault/fault_file_system.h"

namespace hookd::fault {
namespace {

constexpr char kSubscriber[] = "acme";

}  // namespace

Scratch::Scratch() {
  std::string pattern = std::filesystem::temp_directory_path() / "hookd_fault_XXXXXX";
  HOOKD_CHECK(mkdtemp(pattern.data()) != nullptr, "a temporary folder");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

void Listener::Error(std::string_view what, std::string_view text) {
  const std::string line = Concat(what, ": ", text);
  absl::MutexLock lock(&mutex_);
  if (std::find(errors_.begin(), errors_.end(), line) == errors_.end()) errors_.push_back(line);
}

std::vector<std::string> Listener::errors() const {
  absl::MutexLock lock(&mutex_);
  return errors_;
}

Life::Life(const LifeOptions& options, Ledger& ledger)
    : options_(options),
      ledger_(ledger),
      receiver_([&ledger](const testing::SentRequest& request) { return ledger.Received(request); }) {}

Life::~Life() {
  if (engine_ != nullptr) engine_->Stop();
}

absl::Status Life::Start() {
  RocksDbOptions storage;
  storage.path = options_.path;
  storage.env = options_.env;
  if (storage.env == nullptr) {
    own_env_ = rocksdb::NewCompositeEnv(std::make_shared<FaultFileSystem>(options_.path));
    storage.env = own_env_.get();
  }
  storage.wal_bytes = kWalBytes;
  const auto failed = [this](const absl::Status& status) {
    HOOKD_CHECK(options_.on_fatal != nullptr, status.ToString().c_str());
    options_.on_fatal(status);
  };
  storage.on_failure = failed;
  ASSIGN_OR_RETURN(store_, OpenRocksDbStore(storage, RealClock()));
  engine_ = std::make_unique<Engine>(
      EngineOptions(), *store_, RealClock(), telemetry_,
      [this](boost::asio::io_context& io) { return std::make_unique<testing::FakeTransport>(io, receiver_); },
      failed);
  RETURN_IF_ERROR(engine_->Start());
  return MakeWorld();
}

std::vector<std::pair<std::string, Ledger::Lane>> Life::Lanes() {
  return {{"http://127.0.0.1:1/ordered", {DeliveryMode::kOrdered, 1}},
          {"http://127.0.0.1:1/second", {DeliveryMode::kOrdered, 1}},
          {"http://127.0.0.1:1/keyed", {DeliveryMode::kKeyed, kKeys}},
          {"http://127.0.0.1:1/parallel", {DeliveryMode::kParallel, 4}}};
}

absl::StatusOr<EndpointId> Life::EndpointOf(const std::string& url) {
  ASSIGN_OR_RETURN(const std::vector<EndpointView> all,
                   engine_->ListEndpoints(kSubscriber, EndpointId{}, 100));
  for (const EndpointView& view : all) {
    if (view.endpoint->url == url) return view.endpoint->id;
  }
  return absl::NotFoundError(url);
}

// A power loss may have left a part of it.
absl::Status Life::MakeWorld() {
  Subscriber subscriber;
  subscriber.id = kSubscriber;
  const absl::Status made = engine_->CreateSubscriber(subscriber).status();
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  for (const auto& [url, lane] : Lanes()) {
    if (EndpointOf(url).ok()) continue;
    Endpoint endpoint;
    endpoint.subscriber_id = kSubscriber;
    endpoint.url = url;
    endpoint.signing_keys = {{std::string(32, 'k')}};
    endpoint.policy.mode = lane.mode;
    endpoint.policy.max_in_flight = static_cast<uint32_t>(lane.in_flight);
    endpoint.policy.rate.per_second = 0;
    endpoint.policy.max_retries = 100'000;
    endpoint.policy.backoff = LinearBackoff(Millis(1), Millis(3), 0);
    endpoint.policy.disable.failures = 12;
    endpoint.policy.disable.span = Millis(1);
    RETURN_IF_ERROR(engine_->CreateEndpoint(endpoint).status());
  }
  return absl::OkStatus();
}

bool Life::Publish(const std::vector<uint64_t>& numbers) {
  std::vector<NewEvent> events;
  for (const uint64_t n : numbers) {
    NewEvent& event = events.emplace_back();
    event.event.subscriber_id = kSubscriber;
    event.event.type = "t";
    event.event.payload = PayloadOf(n);
    event.event.ordering_key = OrderingKeyOf(n);
    event.event.idempotency_key = Concat("key-", n);
    event.idempotency = MakeIdempotencyKey(event.event);
  }
  bool all = true;
  absl::Notification answered;
  const absl::Status taken = engine_->Publish(std::move(events), [&](std::vector<PublishOutcome> outcomes) {
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const PublishOutcome& outcome = outcomes[i];
      all = all && outcome.status.ok();
      if (!outcome.status.ok()) continue;
      // Of a duplicate the answer does not count them.
      const size_t deliveries = outcome.duplicate ? Lanes().size() : outcome.deliveries;
      ledger_.Answered(numbers[i], {outcome.event, static_cast<uint32_t>(deliveries)}, outcome.duplicate);
    }
    answered.Notify();
  });
  if (!taken.ok()) return false;
  answered.WaitForNotification();
  return all;
}

void Life::Verify(const std::vector<uint64_t>& numbers) {
  const std::map<uint64_t, Acknowledged> acknowledged = ledger_.acknowledged();
  for (const uint64_t n : numbers) {
    const auto it = acknowledged.find(n);
    if (it == acknowledged.end()) continue;
    const absl::StatusOr<std::shared_ptr<const Event>> event = engine_->GetEvent(it->second.event);
    if (!event.ok()) {
      ledger_.Fault(Concat("event ", n, " was acknowledged: ", event.status().ToString()));
      continue;
    }
    if ((*event)->payload != PayloadOf(n)) ledger_.Fault(Concat("event ", n, " has another payload"));
    const absl::StatusOr<std::vector<DeliveryId>> deliveries = engine_->DeliveriesOf(**event, 100);
    if (!deliveries.ok() || deliveries->size() != it->second.deliveries) {
      ledger_.Fault(
          Concat("event ", n, " has not the ", it->second.deliveries, " deliveries it was accepted with"));
    }
  }
}

absl::Status Life::Heal() {
  ledger_.SetFailures(0);
  for (const auto& [url, lane] : Lanes()) {
    ASSIGN_OR_RETURN(const EndpointId id, EndpointOf(url));
    RETURN_IF_ERROR(engine_->SetEndpointPaused(id, false, "").status());
    RETURN_IF_ERROR(engine_->EnableEndpoint(id, "").status());
  }
  return absl::OkStatus();
}

bool Life::WaitUntilNothingIsPending(Duration most) {
  const SteadyTime deadline = RealClock().Steady() + most;
  while (store_->Stats().pending > 0 && RealClock().Steady() < deadline) std::this_thread::yield();
  return store_->Stats().pending == 0;
}

}  // namespace hookd::fault
