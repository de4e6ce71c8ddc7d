#include "dispatcher/engine/backup_runner.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/null_telemetry.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

// Backups that end when the test says so.
class FakeBackups final : public Backups {
 public:
  absl::StatusOr<BackupInfo> Create(std::atomic<uint64_t>& bytes) override {
    bytes += 100;
    absl::MutexLock lock(&mutex_);
    ++begun_;
    mutex_.Await(absl::Condition(
        +[](FakeBackups* self) { return self->stopped_ || self->free_ || self->ends_ > 0; }, this));
    if (stopped_) return absl::CancelledError("backup: stopped");
    if (!free_) --ends_;
    if (!failure_.ok()) return failure_;
    bytes += 23;
    BackupInfo info;
    info.id = static_cast<uint32_t>(made_.size() + 1);
    info.bytes = 1'000;
    info.made_ms = RealClock().Wall();
    made_.push_back(info);
    return info;
  }
  absl::Status Verify(uint32_t id, std::atomic<uint64_t>& bytes) override {
    bytes += 7;
    absl::MutexLock lock(&mutex_);
    return id == 1 ? absl::OkStatus() : absl::DataLossError("000007.sst");
  }
  absl::StatusOr<std::vector<BackupInfo>> List() const override {
    absl::MutexLock lock(&mutex_);
    return made_;
  }
  void Stop() override {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }

  // One more ends so.
  void End(absl::Status failure = absl::OkStatus()) {
    absl::MutexLock lock(&mutex_);
    failure_ = failure;
    ++ends_;
  }
  // None has to wait.
  void Free() {
    absl::MutexLock lock(&mutex_);
    free_ = true;
  }
  void Has(WallMs made_ms) {
    absl::MutexLock lock(&mutex_);
    BackupInfo info;
    info.id = static_cast<uint32_t>(made_.size() + 1);
    info.bytes = 55;
    info.made_ms = made_ms;
    made_.push_back(info);
  }
  int begun() const {
    absl::MutexLock lock(&mutex_);
    return begun_;
  }

 private:
  mutable absl::Mutex mutex_;
  bool stopped_ = false;
  bool free_ = false;
  int ends_ = 0;
  int begun_ = 0;
  absl::Status failure_;
  std::vector<BackupInfo> made_;
};

class BackupRunnerTest : public ::testing::Test {
 protected:
  template <typename Condition>
  void WaitFor(const Condition& condition) {
    while (!condition()) std::this_thread::yield();
  }
  BackupRun Ended(const BackupRunner& runner) {
    WaitFor([&] { return !runner.Newest().running; });
    return runner.Newest();
  }

  FakeBackups backups_;
  NullTelemetry telemetry_;
};

TEST_F(BackupRunnerTest, OneRunsAtATimeAndTellsHowItEnded) {
  BackupRunner runner(backups_, Millis(0), RealClock(), telemetry_);
  EXPECT_EQ(runner.Newest().kind, BackupRunKind::kNone);
  ASSERT_TRUE(runner.StartCreate().ok());
  WaitFor([&] { return runner.Newest().bytes == 100; });
  EXPECT_TRUE(runner.Newest().running);
  EXPECT_TRUE(runner.ReadGauges().running);
  EXPECT_EQ(runner.StartCreate().status().code(), absl::StatusCode::kFailedPrecondition);
  backups_.End();
  const BackupRun made = Ended(runner);
  EXPECT_EQ(made.kind, BackupRunKind::kCreate);
  EXPECT_EQ(made.id, 1u);
  EXPECT_EQ(made.bytes, 123u);
  EXPECT_TRUE(made.status.ok());
  const BackupGauges gauges = runner.ReadGauges();
  EXPECT_EQ(gauges.made, 1u);
  EXPECT_EQ(gauges.failed, 0u);
  EXPECT_EQ(gauges.last_bytes, 1'000u);
  EXPECT_EQ(gauges.last_copied_bytes, 123u);
  EXPECT_GT(gauges.last_success_ms, 0);
}

TEST_F(BackupRunnerTest, AFailureIsCountedAndTheNextBegins) {
  BackupRunner runner(backups_, Millis(0), RealClock(), telemetry_);
  backups_.End(absl::ResourceExhaustedError("the disk"));
  ASSERT_TRUE(runner.StartCreate().ok());
  EXPECT_EQ(Ended(runner).status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(runner.ReadGauges().failed, 1u);
  EXPECT_EQ(runner.ReadGauges().last_success_ms, 0);
  backups_.End();
  ASSERT_TRUE(runner.StartCreate().ok());
  EXPECT_TRUE(Ended(runner).status.ok());
  EXPECT_EQ(runner.ReadGauges().made, 1u);
}

TEST_F(BackupRunnerTest, VerifiesWhatThereIs) {
  BackupRunner runner(backups_, Millis(0), RealClock(), telemetry_);
  EXPECT_THAT(std::string(runner.StartVerify(0).status().message()), HasSubstr("there is no backup"));
  backups_.Has(1);
  backups_.Has(2);
  EXPECT_EQ(runner.StartVerify(3).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(runner.StartVerify(1).ok());
  const BackupRun whole = Ended(runner);
  EXPECT_EQ(whole.kind, BackupRunKind::kVerify);
  EXPECT_EQ(whole.id, 1u);
  EXPECT_EQ(whole.bytes, 7u);
  EXPECT_TRUE(whole.status.ok());
  ASSERT_TRUE(runner.StartVerify(0).ok());  // the newest
  EXPECT_THAT(std::string(Ended(runner).status.message()), HasSubstr("000007.sst"));
  EXPECT_EQ(runner.Newest().id, 2u);
  EXPECT_EQ(runner.ReadGauges().failed, 0u) << "of backups";
}

TEST_F(BackupRunnerTest, MakesThemByItselfFromTheNewestOn) {
  backups_.Free();
  {
    // The newest is young: none is due for an hour.
    backups_.Has(RealClock().Wall());
    BackupRunner runner(backups_, Millis(3'600'000), RealClock(), telemetry_);
    WaitFor([&] { return runner.ReadGauges().last_bytes == 55; });
    EXPECT_EQ(runner.ReadGauges().interval_seconds, 3'600u);
    EXPECT_EQ(backups_.begun(), 0);
    ASSERT_TRUE(runner.StartCreate().ok()) << "somebody may ask all the same";
    EXPECT_TRUE(Ended(runner).status.ok());
  }
  FakeBackups old;
  old.Free();
  old.Has(RealClock().Wall() - 7'200'000);
  BackupRunner overdue(old, Millis(3'600'000), RealClock(), telemetry_);
  WaitFor([&] { return overdue.ReadGauges().made == 1; });
  EXPECT_EQ(old.begun(), 1);
  FakeBackups often;
  often.Free();
  BackupRunner quick(often, Millis(1), RealClock(), telemetry_);
  WaitFor([&] { return quick.ReadGauges().made >= 3; });
}

TEST_F(BackupRunnerTest, AStopEndsWhatRuns) {
  BackupRunner runner(backups_, Millis(0), RealClock(), telemetry_);
  ASSERT_TRUE(runner.StartCreate().ok());
  WaitFor([&] { return backups_.begun() == 1; });
  runner.Stop();
  EXPECT_EQ(runner.Newest().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(runner.ReadGauges().failed, 0u) << "a stop is no failure";
  EXPECT_EQ(runner.StartCreate().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hookd
