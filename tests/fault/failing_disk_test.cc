// A disk that fails at random moments: writes and fsyncs that are refused, written in part, or out of space.
// hookd ends, acknowledges nothing that it does not know to be kept, and the next start finds all that was.
// HOOKD_FAULT_TRIALS=200 HOOKD_FAULT_SEED=1 for the long form.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/fakes/under_asan.h"
#include "tests/fault/fault_file_system.h"
#include "tests/fault/ledger.h"
#include "tests/fault/life.h"
#include "tests/fault/outside_syncs.h"
#include "tests/fault/report.h"
#include "tests/fault/victim.h"

namespace hookd::fault {
namespace {

constexpr uint64_t kTrials = testing::kUnderAsan ? 6 : 15;

constexpr uint64_t kMostEvents = 1'000;  // of a victim whose disk never fails

// What goes wrong, on which files.
struct Plan {
  const char* name;
  FileOp::Kind kind;
  const char* file;   // a part of the path
  const char* error;  // "io", "space", "short"
  uint64_t most;      // the most operations of this kind before the first that fails
  bool ends_it;       // whoever sees it must not go on
};

constexpr Plan kPlans[] = {
    {"fsync of the log", FileOp::Kind::kSync, ".log", "io", 300, true},
    {"write to the log", FileOp::Kind::kAppend, ".log", "io", 300, true},
    {"short write to the log", FileOp::Kind::kAppend, ".log", "short", 300, true},
    {"no space for the log", FileOp::Kind::kAppend, ".log", "space", 300, true},
    {"no space for a table", FileOp::Kind::kAppend, ".sst", "space", 20, true},
    {"write to a table", FileOp::Kind::kAppend, ".sst", "io", 20, true},
    {"fsync of a table", FileOp::Kind::kSync, ".sst", "io", 10, true},
    {"write to a blob file", FileOp::Kind::kAppend, ".blob", "io", 10, true},
    {"fsync of a blob file", FileOp::Kind::kSync, ".blob", "io", 2, true},
    {"write to the manifest", FileOp::Kind::kAppend, "MANIFEST", "io", 10, true},
    {"short write to the manifest", FileOp::Kind::kAppend, "MANIFEST", "short", 10, true},
    {"fsync of the manifest", FileOp::Kind::kSync, "MANIFEST", "io", 10, true},
    {"fsync of the folder", FileOp::Kind::kSyncFolder, "/db", "io", 10, false},
    {"a file cannot be made", FileOp::Kind::kCreate, ".log", "space", 3, true},
    {"a file cannot be removed", FileOp::Kind::kDelete, "/db/", "io", 10, false},
};

rocksdb::IOStatus ErrorOf(std::string_view error) {
  if (error == "space") return rocksdb::IOStatus::NoSpace("No space left on device");
  return rocksdb::IOStatus::IOError("Input/output error");
}

// --victim FOLDER LEFT PLAN NTH STICKY FIRST: publishes until the disk fails. What a power loss right then
// would leave goes to LEFT.
int Victim(const std::vector<std::string>& arguments) {
  const std::string& folder = arguments[0];
  const std::string& left = arguments[1];
  const Plan& plan = kPlans[std::stoul(arguments[2])];
  const uint64_t nth = std::stoul(arguments[3]);
  const bool sticky = arguments[4] == "1";
  Ledger ledger(nth);
  for (const auto& [url, lane] : Life::Lanes()) ledger.AddLane(url, lane);
  for (uint64_t n = std::stoul(arguments[5]); n > 0; --n) ledger.TakeNumber();
  ledger.SetWitness(STDOUT_FILENO);
  ledger.Begin();

  auto disk = std::make_shared<FaultFileSystem>(folder);
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  TellOfSyncs(disk.get());
  std::mt19937_64 random(nth);
  std::atomic<bool> ended{false};
  const auto end = [&](const std::string& why, int code) {
    if (ended.exchange(true)) return;
    ledger.Cut();
    Say(Concat("fatal ", why));
    disk->LosePower(left, {}, random);
    _exit(code);
  };
  const auto counter = std::make_shared<std::atomic<uint64_t>>(0);
  const auto arm = [&] {
    disk->SetHook([&plan, counter, nth, sticky](const FileOp& op) -> Injected {
      if (op.kind != plan.kind || op.path.find(plan.file) == std::string::npos) return {};
      const uint64_t count = ++*counter;
      if (count < nth || (count > nth && !sticky)) return {};
      if (count == nth) Say("injected");
      Injected injected{ErrorOf(plan.error), 0};
      if (std::string_view(plan.error) == "short" && op.bytes > 0) injected.written = nth % op.bytes;
      return injected;
    });
  };
  Life life({folder, env.get(), [&](const absl::Status& status) { end(status.ToString(), kExitFatal); }},
            ledger);
  arm();
  const absl::Status started = life.Start();
  if (!started.ok()) end(started.ToString(), kExitRefused);
  for (uint64_t i = 0; i < kMostEvents; ++i) {
    if (life.Publish({ledger.TakeNumber()})) continue;
    // The process ends; until then nothing is answered.
    for (int more = 0; more < 3; ++more) {
      if (life.Publish({ledger.TakeNumber()})) Say("fault 0 it accepts after a failure");
    }
    pause();
  }
  ledger.Cut();
  Say("unharmed");
  disk->LosePower(left, {}, random);
  _exit(0);
}

struct Trial {
  bool injected = false;
  bool unharmed = false;
  std::string fatal;
  Ending ending;
};

class FailingDiskTest : public ::testing::Test {
 protected:
  static Trial Run(const std::string& folder, const std::string& left, size_t plan, uint64_t nth, bool sticky,
                   Ledger& ledger) {
    Trial trial;
    ledger.Begin();
    trial.ending = RunVictim({folder, left, std::to_string(plan), std::to_string(nth), sticky ? "1" : "0",
                              std::to_string(ledger.numbers())},
                             [&](const std::string& line) {
                               if (line == "injected") {
                                 trial.injected = true;
                               } else if (line == "unharmed") {
                                 trial.unharmed = true;
                               } else if (line.starts_with("fatal ")) {
                                 trial.fatal = line;
                               } else if (!ledger.Read(line)) {
                                 ledger.Fault(Concat("it said ", line));
                               }
                             });
    return trial;
  }
};

TEST_F(FailingDiskTest, NothingIsAcknowledgedThatMayBeLost) {
  const uint64_t trials = FromEnvironment("HOOKD_FAULT_TRIALS", kTrials);
  const uint64_t seed = FromEnvironment("HOOKD_FAULT_SEED", std::random_device()());
  std::mt19937_64 random(seed);
  Report report("failing_disk");
  uint64_t injected = 0;
  uint64_t fatal = 0;
  uint64_t aborted = 0;
  uint64_t refused = 0;
  uint64_t acknowledged = 0;
  uint64_t found = 0;
  for (uint64_t i = 0; i < trials && found < 10; ++i) {
    const size_t index = (seed + i) % std::size(kPlans);
    const Plan& plan = kPlans[index];
    const uint64_t nth = 1 + random() % plan.most;
    const bool sticky = random() % 2 == 0;
    const bool power_goes = random() % 2 == 0;
    SCOPED_TRACE(Concat("seed ", seed, ", trial ", i, ": ", plan.name, ", the ", nth, ". of them",
                        sticky ? " and all after it" : ""));
    const Scratch scratch;
    const std::string folder = scratch.path() + "/data";
    const std::string left = scratch.path() + "/left";
    Ledger ledger(seed + i);
    for (const auto& [url, lane] : Life::Lanes()) ledger.AddLane(url, lane);
    bool failed = false;
    const auto expect = [&failed](bool holds, const std::string& what) {
      failed |= !holds;
      EXPECT_TRUE(holds) << what;
    };
    const Trial trial = Run(folder, left, index, nth, sticky, ledger);
    injected += trial.injected ? 1 : 0;
    fatal += trial.ending.exit_code == kExitFatal ? 1 : 0;
    refused += trial.ending.exit_code == kExitRefused ? 1 : 0;
    // Debian's RocksDB has its assertions on, and ends the process by some of them.
    const bool assertion =
        trial.ending.signal == SIGABRT && trial.ending.errors.find("Assertion") != std::string::npos;
    aborted += assertion ? 1 : 0;
    if (trial.unharmed) {
      expect(!trial.injected || !plan.ends_it, "it went on");
    } else {
      expect(assertion || trial.ending.exit_code == kExitFatal || trial.ending.exit_code == kExitRefused,
             Concat("exit code ", trial.ending.exit_code, ", signal ", trial.ending.signal, "\n",
                    trial.ending.errors));
      expect(assertion || !trial.fatal.empty(), "it did not say why");
    }

    // A good disk again.
    const bool from_left = power_goes && std::filesystem::exists(left);
    ledger.Begin();
    Life life({from_left ? left : folder, nullptr, nullptr}, ledger);
    const absl::Status started = life.Start();
    expect(started.ok(), Concat(started.ToString(), from_left ? ", after a power loss" : ""));
    if (started.ok()) {
      std::vector<uint64_t> all;
      for (uint64_t n = 0; n < ledger.numbers(); ++n) all.push_back(n);
      life.Verify(all);
      expect(life.Heal().ok(), "what was disabled can be enabled");
      for (const uint64_t n : ledger.unanswered()) life.Publish({n});
      expect(life.WaitUntilNothingIsPending(std::chrono::seconds(60)), "everything is delivered");
      ledger.JudgeTheEnd();
      acknowledged += ledger.acknowledged().size();
      life.Drain();
    }
    for (const std::string& fault : ledger.faults()) expect(false, fault);
    found += failed ? 1 : 0;
  }
  report.Add("injected", injected);
  report.Add("ended_with_70", fatal);
  report.Add("ended_by_an_assertion", aborted);
  report.Add("start_refused", refused);
  report.Add("acknowledged", acknowledged);
  report.Add("seed", seed);
  report.Write(trials, found);
  EXPECT_GT(injected, trials / 2);
}

// Payloads in blob files cannot be read for a while.
TEST(UnreadableDiskTest, WhatCanBeReadIsDeliveredAndTheRestWaits) {
  constexpr uint64_t kEvents = 30;
  constexpr uint64_t kFirstLarge = 9;  // the first whose payload is in a blob file
  const Scratch scratch;
  const std::string folder = scratch.path() + "/data";
  Ledger ledger(1);
  ledger.SetFailures(0);
  for (const auto& [url, lane] : Life::Lanes()) ledger.AddLane(url, lane);
  ledger.Begin();
  {
    Life life({folder, nullptr, nullptr}, ledger);
    ASSERT_TRUE(life.Start().ok());
    ASSERT_TRUE(life.engine().SetPaused(true, "").ok());
    for (uint64_t n = 0; n < kEvents; ++n) ASSERT_TRUE(life.Publish({ledger.TakeNumber()}));
  }
  // The first start writes what is in the log into tables and blob files.
  ledger.Begin();
  {
    Life life({folder, nullptr, nullptr}, ledger);
    ASSERT_TRUE(life.Start().ok());
  }

  ledger.Begin();
  auto disk = std::make_shared<FaultFileSystem>(folder);
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  disk->SetHook([](const FileOp& op) -> Injected {
    if (op.kind != FileOp::Kind::kRead || !op.path.ends_with(".blob")) return {};
    return {rocksdb::IOStatus::IOError("Input/output error")};
  });
  Life life({folder, env.get(), nullptr}, ledger);
  ASSERT_TRUE(life.Start().ok());
  ASSERT_TRUE(life.engine().SetPaused(false, "").ok());
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
  while ((ledger.arrivals() < kFirstLarge * Life::Lanes().size() ||
          life.listener().errors().size() < Life::Lanes().size()) &&
         RealClock().Steady() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(ledger.arrivals(), kFirstLarge * Life::Lanes().size());
  const std::vector<std::string> errors = life.listener().errors();
  EXPECT_EQ(errors.size(), Life::Lanes().size());  // each lane says so
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("store.read: ep_"), std::string::npos) << error;
    EXPECT_NE(error.find("Input/output error"), std::string::npos) << error;
  }
  EXPECT_TRUE(life.Publish({ledger.TakeNumber()})) << "events are accepted";

  disk->SetHook(nullptr);
  EXPECT_TRUE(life.WaitUntilNothingIsPending(std::chrono::seconds(20)));
  ledger.JudgeTheEnd();
  EXPECT_EQ(ledger.faults(), std::vector<std::string>());
  life.Drain();
}

}  // namespace
}  // namespace hookd::fault

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--victim") {
    return hookd::fault::Victim({argv + 2, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
