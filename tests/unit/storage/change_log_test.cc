#include "storage/change_log.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr WallMs kHour = kBucketMs;
constexpr WallMs kKept = kChangesKept.count();

std::shared_ptr<const Event> SomeEvent() {
  auto event = std::make_shared<Event>();
  event->accepted_ms = 100 * kHour;
  event->id = EventId::Make(event->accepted_ms, 1, 2, 3);
  event->subscriber_id = "acme";
  event->type = "message:in:new";
  return event;
}

AttemptRecorded SomeFailure() {
  AttemptRecorded fact;
  fact.delivery = {100, EndpointId{7}, 9};
  fact.event = SomeEvent()->id;
  fact.event_type = "message:in:new";
  fact.subscriber_id = "acme";
  fact.attempt.number = 2;
  fact.attempt.started_ms = 100 * kHour + 5;
  fact.attempt.us.total = 3'000;
  fact.attempt.status = 503;
  fact.attempt.error = ErrorKind::kStatus;
  fact.attempt.next_due_ms = 100 * kHour + 99;
  return fact;
}

TEST(ChangeLogTest, NothingIsAnEmptyRecord) {
  ChangeLog log;
  EXPECT_EQ(log.Take(5), "");
  log.Apply(Accepted{SomeEvent(), {}, std::nullopt});
  EXPECT_EQ(log.Take(5), "");
}

// Messages are used again: nothing of an earlier record may stay behind.
TEST(ChangeLogTest, RecordsDoNotLeakIntoEachOther) {
  ChangeLog log;
  AttemptRecorded remade = SomeFailure();
  remade.delivery.bucket = 300;
  remade.remade = std::make_shared<Remade>(Remade{300 * kHour, Origin::kRetry, std::nullopt});
  remade.state = DeliveryState::kExhausted;
  remade.reason = EndReason::kRetriesUsedUp;
  log.Apply(remade);
  log.Apply(SomeFailure());
  std::vector<StateChange> changes;
  ASSERT_TRUE(DecodeChanges(log.Take(400 * kHour), changes).ok());
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].delivery, (DeliveryId{300, EndpointId{7}, 9}));
  EXPECT_EQ(changes[0].next_due_ms, 0);  // it ended
  EXPECT_EQ(changes[1].delivery, (DeliveryId{100, EndpointId{7}, 9}));

  log.Apply(Accepted{SomeEvent(), {{EndpointId{1}, 2}, {EndpointId{3}, 4}}, std::nullopt});
  changes.clear();
  ASSERT_TRUE(DecodeChanges(log.Take(99 * kHour), changes).ok());  // of a commit before the change
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[1].delivery, (DeliveryId{100, EndpointId{3}, 4}));
  EXPECT_EQ(changes[1].state, DeliveryState::kPending);
  EXPECT_EQ(changes[1].reason, EndReason::kNone);
  EXPECT_EQ(changes[1].attempt_count, 0u);
  EXPECT_EQ(changes[1].status, 0);
  EXPECT_EQ(changes[1].error, ErrorKind::kNone);
  EXPECT_EQ(changes[1].at_ms, 100 * kHour);
  EXPECT_EQ(changes[1].next_due_ms, 0);
}

TEST(ChangeLogTest, LargeCommitsAreWholeAndLeaveALogThatWorks) {
  ChangeLog log;
  for (int i = 0; i < 5'000; ++i) log.Apply(SomeFailure());
  std::vector<StateChange> changes;
  ASSERT_TRUE(DecodeChanges(log.Take(5), changes).ok());
  EXPECT_EQ(changes.size(), 5'000u);
  EXPECT_EQ(log.Take(6), "");
  log.Apply(SomeFailure());
  changes.clear();
  ASSERT_TRUE(DecodeChanges(log.Take(7), changes).ok());
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].at_ms, 100 * kHour + 8);
}

// One event for one endpoint, sent at once, is two changes: what each costs on the disk.
TEST(ChangeLogTest, AChangeIsSmall) {
  ChangeLog log;
  log.Apply(Accepted{SomeEvent(), {{EndpointId{7}, 9}}, std::nullopt});
  EXPECT_LE(log.Take(100 * kHour + 2).size(), 80u);
}

TEST(ChangeHoursTest, ACommitBeginsAnHourOnce) {
  ChangeHours hours;
  EXPECT_TRUE(hours.empty());
  EXPECT_EQ(hours.Begin(10 * kHour + 1, 5)->first, 5u);
  EXPECT_EQ(hours.first(), 5u);
  EXPECT_FALSE(hours.Begin(11 * kHour - 1, 6).has_value());
  EXPECT_EQ(hours.Begin(11 * kHour, 7)->hour, 11u);
  EXPECT_EQ(hours.first(), 5u);
}

TEST(ChangeHoursTest, AnHourGoesOnceItIsOverForLongEnough) {
  ChangeHours hours;
  hours.Load({10, 5});
  hours.Load({11, 7});
  EXPECT_FALSE(hours.TakeExpired(11 * kHour + kKept - 1).has_value());
  EXPECT_EQ(hours.TakeExpired(11 * kHour + kKept)->first, 5u);
  EXPECT_EQ(hours.first(), 7u);
  EXPECT_FALSE(hours.TakeExpired(1000 * kHour).has_value());  // the newest stays
}

}  // namespace
}  // namespace hookd
