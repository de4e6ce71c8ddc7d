// One life of hookd's engine on a data folder: from its start to whatever ends it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <rocksdb/env.h>

#include "dispatcher/engine/engine.h"
#include "storage/delivery_store.h"
#include "storage/rocksdb_store.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/fault/ledger.h"

namespace hookd::fault {

// A folder of a test's own, which goes with this object.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Keeps what hookd says about itself. Thread-safe.
class Listener final : public NullTelemetry {
 public:
  void Error(std::string_view what, std::string_view text) override;
  std::vector<std::string> errors() const;

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);  // each once
};

// So small that a second of traffic is flushed and compacted several times.
inline constexpr size_t kWalBytes = 256u << 10;

struct LifeOptions {
  std::string path;
  rocksdb::Env* env = nullptr;  // null = a disk of its own that does not fail
  // The store has failed. Null = a programmer's error.
  std::function<void(const absl::Status&)> on_fatal;
};

class Life {
 public:
  Life(const LifeOptions& options, Ledger& ledger);
  // Ends without a drain: what is in flight is not recorded.
  ~Life();

  // Opens the store and starts the engine. The first life of a folder makes the subscriber and the lanes.
  absl::Status Start();
  Engine& engine() { return *engine_; }
  DeliveryStore& store() { return *store_; }
  const Listener& listener() const { return telemetry_; }
  void Drain() { engine_->Drain(std::chrono::seconds(20)); }

  // The lanes of every world: ordered twice, keyed, parallel.
  static std::vector<std::pair<std::string, Ledger::Lane>> Lanes();
  absl::StatusOr<EndpointId> EndpointOf(const std::string& url);

  // Blocks until it is answered; the outcome is in the ledger, unless the power was cut meanwhile. False:
  // not all of it was accepted.
  bool Publish(const std::vector<uint64_t>& numbers);
  // What was acknowledged is there, byte for byte, with all of its deliveries: of these numbers.
  void Verify(const std::vector<uint64_t>& numbers);
  // Ends everything that holds deliveries back.
  absl::Status Heal();
  // False: not within the time.
  bool WaitUntilNothingIsPending(Duration most);

 private:
  absl::Status MakeWorld();

  const LifeOptions options_;
  Ledger& ledger_;
  Listener telemetry_;
  testing::FakeReceiver receiver_;
  std::unique_ptr<rocksdb::Env> own_env_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace hookd::fault
