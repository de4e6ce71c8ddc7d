// The power goes at random moments of many lives on one folder. What was acknowledged is there afterwards,
// and is delivered, in order. HOOKD_FAULT_CYCLES=200 HOOKD_FAULT_SEED=1 for the long form.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/signing_keys.h"
#include "storage/backups.h"
#include "tests/fakes/under_asan.h"
#include "tests/fault/fault_file_system.h"
#include "tests/fault/ledger.h"
#include "tests/fault/life.h"
#include "tests/fault/outside_syncs.h"
#include "tests/fault/report.h"

namespace hookd::fault {
namespace {

constexpr uint64_t kCycles = testing::kUnderAsan ? 6 : 20;

constexpr size_t kPublishers = 2;
constexpr uint64_t kMostOps = 600;  // of the disk, before the power goes
constexpr uint64_t kMostOpsOfAStart = 80;
constexpr size_t kSpotChecks = 50;  // of older events, at each start

struct Verdict {
  std::vector<std::string> faults;
  size_t cycles = 0;
  size_t starts_cut = 0;  // the power went before the engine had started
  size_t acknowledged = 0;
  size_t arrivals = 0;
  size_t repeated = 0;
};

class World {
 public:
  World(uint64_t seed, bool lying_disk) : random_(seed), ledger_(seed), lying_disk_(lying_disk) {
    for (const auto& [url, lane] : Life::Lanes()) ledger_.AddLane(url, lane);
    std::filesystem::create_directories(Folder(0));
  }

  Verdict Run(uint64_t cycles) {
    for (uint64_t i = 0; i < cycles && ledger_.faults().empty(); ++i) Cycle();
    if (ledger_.faults().empty()) End();
    Verdict verdict;
    verdict.faults = ledger_.faults();
    verdict.cycles = at_;
    verdict.starts_cut = starts_cut_;
    verdict.acknowledged = ledger_.acknowledged().size();
    verdict.arrivals = ledger_.arrivals();
    verdict.repeated = ledger_.repeated();
    return verdict;
  }

 private:
  uint64_t Draw(uint64_t most) { return std::uniform_int_distribution<uint64_t>(0, most)(random_); }
  std::string Folder(uint64_t number) const { return Concat(scratch_.path(), "/", number); }

  // A life that ends when the power goes; the next one begins with what was left.
  void Cycle() {
    FaultFileSystem* disk = nullptr;
    auto owned = std::make_shared<FaultFileSystem>(Folder(at_));
    disk = owned.get();
    if (lying_disk_) disk->LieAboutSyncs();
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(owned);
    TellOfSyncs(disk);
    const bool cut_the_start = Draw(3) == 0;
    ops_left_ = static_cast<int64_t>(1 + Draw(cut_the_start ? kMostOpsOfAStart : kMostOps));
    loss_.data = static_cast<Loss::Data>(Draw(2));
    loss_.names = static_cast<Loss::Names>(Draw(1));
    std::mt19937_64 loss_random(random_());
    const bool at_sync = Draw(1) == 0;
    std::atomic<bool> went{false};
    absl::Notification gone;
    disk->SetHook([&](const FileOp& op) -> Injected {
      if (op.kind == FileOp::Kind::kRead) return {};
      const int64_t left = --ops_left_;
      // Half of the time when something waits for its fsync.
      if (left > 0 || (at_sync && op.kind != FileOp::Kind::kSync) || went.exchange(true)) return {};
      ledger_.Cut();
      disk->LosePower(Folder(at_ + 1), loss_, loss_random);
      gone.Notify();
      return {};
    });
    ledger_.Begin();
    {
      Life life({Folder(at_), env.get(), nullptr}, ledger_);
      const absl::Status started = life.Start();
      if (!started.ok()) {
        ledger_.Fault(Concat("start ", at_, " after a loss of kind ", static_cast<int>(last_loss_.data), ", ",
                             static_cast<int>(last_loss_.names), ": ", started.ToString()));
        disk->SetHook(nullptr);
        TellOfSyncs(nullptr);
        return;
      }
      if (ledger_.cut()) {
        ++starts_cut_;
      } else {
        CheckChanges(life);
        life.Verify(Chosen());
        Traffic(life);
      }
      gone.WaitForNotification();
    }
    disk->SetHook(nullptr);
    TellOfSyncs(nullptr);
    std::filesystem::remove_all(Folder(at_));
    last_loss_ = loss_;
    ++at_;
  }

  // Until the power goes.
  void Traffic(Life& life) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kPublishers; ++i) {
      threads.emplace_back([this, &life, seed = random_()] {
        std::mt19937_64 random(seed);
        // What was not answered before the power went is published again, under its key.
        std::vector<uint64_t> again = ledger_.unanswered();
        std::shuffle(again.begin(), again.end(), random);
        while (!ledger_.cut()) {
          std::vector<uint64_t> numbers;
          for (uint64_t count = 1 + random() % (random() % 8 == 0 ? 16 : 2); count > 0; --count) {
            if (again.empty()) {
              numbers.push_back(ledger_.TakeNumber());
            } else {
              numbers.push_back(again.back());
              again.pop_back();
            }
          }
          if (!life.Publish(numbers) && !ledger_.cut()) ledger_.Fault("a publish was refused");
        }
      });
    }
    threads.emplace_back([this, &life, seed = random_()] { Steer(life, seed); });
    for (std::thread& thread : threads) thread.join();
  }

  struct Changes {
    bool paused = false;
    bool paused_known = true;
    uint64_t revision = 0;       // of a header, acknowledged
    uint64_t next_revision = 1;  // asked for
  };

  // Pauses, disables, rotates, changes settings; backs up.
  void Steer(Life& life, uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto lanes = Life::Lanes();
    while (!ledger_.cut()) {
      const std::string& url = lanes[random() % lanes.size()].first;
      const absl::StatusOr<EndpointId> id = life.EndpointOf(url);
      if (!id.ok()) return ledger_.Fault(Concat("no endpoint ", url));
      Changes& changes = changes_[url];
      switch (random() % 8) {
        case 0: {
          const bool paused = random() % 3 == 0;
          changes.paused_known = false;
          const bool done = life.engine().SetEndpointPaused(*id, paused, "").ok();
          if (done && !ledger_.cut()) {
            changes.paused = paused;
            changes.paused_known = true;
          }
          break;
        }
        case 1:
          life.engine().DisableEndpoint(*id, "").IgnoreError();
          life.engine().EnableEndpoint(*id, "").IgnoreError();
          break;
        case 2:
          life.engine()
              .RotateSecret(*id, {std::string(32, static_cast<char>('a' + random() % 26))}, Millis(5))
              .IgnoreError();
          break;
        case 3: {
          const uint64_t revision = changes.next_revision++;
          const auto change = [revision](Endpoint& endpoint) {
            endpoint.headers = {{"x-revision", std::to_string(revision), false}};
            return absl::OkStatus();
          };
          const bool done =
              life.engine().UpdateEndpoint(*id, std::function<absl::Status(Endpoint&)>(change)).ok();
          if (done && !ledger_.cut()) changes.revision = revision;
          break;
        }
        case 4:
          if (random() % 4 == 0) BackUp(life);
          break;
        default:
          life.engine().EnableEndpoint(*id, "").IgnoreError();
      }
    }
  }

  void BackUp(Life& life) {
    BackupOptions options;
    options.folder = scratch_.path() + "/backups";
    options.keep = 2;
    std::atomic<uint64_t> bytes{0};
    // The folder of backups belongs to one database; after a loss at the very first start it is another.
    MakeBackups(life.store(), options, RealClock())->Create(bytes).IgnoreError();
  }

  void CheckChanges(Life& life) {
    for (auto& [url, changes] : changes_) {
      const absl::StatusOr<EndpointId> id = life.EndpointOf(url);
      if (!id.ok()) {
        ledger_.Fault(Concat("endpoint ", url, " is gone"));
        continue;
      }
      const absl::StatusOr<EndpointView> view = life.engine().GetEndpoint(*id);
      if (!view.ok()) {
        ledger_.Fault(view.status().ToString());
        continue;
      }
      const Endpoint& endpoint = *view->endpoint;
      const uint64_t revision = endpoint.headers.empty() ? 0 : std::stoull(endpoint.headers.front().value);
      if (revision < changes.revision || revision >= changes.next_revision) {
        ledger_.Fault(Concat(url, " has revision ", revision, ", acknowledged was ", changes.revision));
      }
      changes.revision = revision;
      if (changes.paused_known && endpoint.paused != changes.paused) {
        ledger_.Fault(Concat(url, changes.paused ? " is not paused any more" : " is paused again"));
      }
      changes.paused = endpoint.paused;
      changes.paused_known = true;
    }
  }

  // All that was acknowledged since the last look, and some of what was before.
  std::vector<uint64_t> Chosen() {
    std::vector<uint64_t> numbers;
    for (uint64_t n = verified_; n < ledger_.numbers(); ++n) numbers.push_back(n);
    for (size_t i = 0; verified_ > 0 && i < kSpotChecks; ++i) numbers.push_back(Draw(verified_ - 1));
    verified_ = ledger_.numbers();
    return numbers;
  }

  void End() {
    ledger_.Begin();
    Life life({Folder(at_), nullptr, nullptr}, ledger_);
    const absl::Status started = life.Start();
    if (!started.ok()) return ledger_.Fault(Concat("the last start: ", started.ToString()));
    CheckChanges(life);
    if (const absl::Status healed = life.Heal(); !healed.ok()) return ledger_.Fault(healed.ToString());
    for (const uint64_t n : ledger_.unanswered()) life.Publish({n});
    if (!life.WaitUntilNothingIsPending(std::chrono::seconds(120))) {
      return ledger_.Fault(Concat(life.store().Stats().pending, " deliveries are still pending"));
    }
    std::vector<uint64_t> all;
    for (uint64_t n = 0; n < ledger_.numbers(); ++n) all.push_back(n);
    life.Verify(all);
    ledger_.JudgeTheEnd();
    life.Drain();
  }

  std::mt19937_64 random_;
  const Scratch scratch_;
  Ledger ledger_;
  const bool lying_disk_;
  uint64_t at_ = 0;  // number of the folder
  std::atomic<int64_t> ops_left_{0};
  Loss loss_;
  Loss last_loss_;
  uint64_t verified_ = 0;
  size_t starts_cut_ = 0;
  std::map<std::string, Changes> changes_;  // by URL
};

TEST(PowerLossTest, WhatWasAcknowledgedIsThereAndIsDelivered) {
  const uint64_t cycles = FromEnvironment("HOOKD_FAULT_CYCLES", kCycles);
  const uint64_t seed = FromEnvironment("HOOKD_FAULT_SEED", std::random_device()());
  Report report("power_loss");
  const Verdict verdict = World(seed, false).Run(cycles);
  for (const std::string& fault : verdict.faults) ADD_FAILURE() << "seed " << seed << ", " << fault;
  report.Add("cycles", verdict.cycles);
  report.Add("starts_cut", verdict.starts_cut);
  report.Add("acknowledged", verdict.acknowledged);
  report.Add("arrivals", verdict.arrivals);
  report.Add("repeated", verdict.repeated);
  report.Add("seed", seed);
  report.Write(verdict.cycles, verdict.faults.size());
  EXPECT_GT(verdict.acknowledged, cycles) << "there was traffic";
}

TEST(PowerLossTest, AJudgeSeesADiskThatLies) { EXPECT_FALSE(World(1, true).Run(20).faults.empty()); }

}  // namespace
}  // namespace hookd::fault
