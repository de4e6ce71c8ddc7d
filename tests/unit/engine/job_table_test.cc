#include "dispatcher/engine/job_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/engine/engine.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Job MakeJob(uint64_t id, JobState state = JobState::kRunning, WallMs ended_ms = 0) {
  Job job;
  job.id = id;
  job.state = state;
  job.ended_ms = ended_ms;
  return job;
}

std::vector<uint64_t> Ids(const std::vector<Job>& jobs) {
  std::vector<uint64_t> ids;
  for (const Job& job : jobs) ids.push_back(job.id);
  return ids;
}

TEST(JobTableTest, RefusesMoreThanMayRun) {
  JobTable table;
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < kMaxRunningJobs; ++i) {
    ids.push_back(*table.Reserve());
    if (i % 2 == 0) table.Put(MakeJob(ids.back()));  // what is about to start counts too
  }
  EXPECT_TRUE(absl::IsResourceExhausted(table.Reserve().status()));
  table.Put(MakeJob(ids[0], JobState::kDone, 1));
  EXPECT_TRUE(table.Reserve().ok());
  EXPECT_FALSE(table.Reserve().ok());
  table.Release();
  EXPECT_TRUE(table.Reserve().ok());
}

TEST(JobTableTest, ListsTheNewestFirst) {
  JobTable table;
  DeliveryStore::Recovered recovered;
  recovered.jobs = {MakeJob(1, JobState::kDone, 5), MakeJob(2), MakeJob(4, JobState::kFailed, 9), MakeJob(7)};
  recovered.next_job = 8;
  table.Recovered(recovered);
  EXPECT_THAT(Ids(table.List(0, 10, false)), ElementsAre(7, 4, 2, 1));
  EXPECT_THAT(Ids(table.List(0, 2, false)), ElementsAre(7, 4));
  EXPECT_THAT(Ids(table.List(4, 10, false)), ElementsAre(2, 1));
  EXPECT_THAT(Ids(table.List(0, 10, true)), ElementsAre(7, 2));
  EXPECT_EQ(*table.Reserve(), 8u);
  EXPECT_TRUE(absl::IsNotFound(table.Get(3).status()));
}

TEST(JobTableTest, ForgetsTheOldestOfTheEnded) {
  JobTable table;
  for (uint64_t i = 0; i < kMaxEndedJobs; ++i) {
    const uint64_t id = *table.Reserve();
    table.Put(MakeJob(id));
    // The second to start is the first to end.
    EXPECT_THAT(table.Put(MakeJob(id, JobState::kDone, id == 2 ? 1 : 1000)), IsEmpty());
  }
  const uint64_t running = *table.Reserve();
  table.Put(MakeJob(running));
  const uint64_t last = *table.Reserve();
  table.Put(MakeJob(last));
  EXPECT_THAT(table.Put(MakeJob(last, JobState::kCanceled, 2000)), ElementsAre(2));
  EXPECT_TRUE(absl::IsNotFound(table.Get(2).status()));
  EXPECT_TRUE(table.Get(1).ok());
  EXPECT_TRUE(table.Get(running).ok());
}

}  // namespace
}  // namespace hookd
