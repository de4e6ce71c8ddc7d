#include "dispatcher/core/delivery_state.h"

#include <gtest/gtest.h>

#include "dispatcher/core/outcome.h"

namespace hookd {
namespace {

constexpr WallMs kNow = 1'700'000'000'000;

constexpr DeliveryState kStates[] = {DeliveryState::kPending, DeliveryState::kSucceeded,
                                     DeliveryState::kExhausted, DeliveryState::kExpired,
                                     DeliveryState::kCanceled};
constexpr ErrorKind kErrors[] = {ErrorKind::kNone,     ErrorKind::kStatus,         ErrorKind::kTimeout,
                                 ErrorKind::kName,     ErrorKind::kConnect,        ErrorKind::kTls,
                                 ErrorKind::kProtocol, ErrorKind::kResponseTooBig, ErrorKind::kLocal};

TEST(DeliveryStateTest, OnlyPendingMoves) {
  for (DeliveryState from : kStates) {
    for (DeliveryState to : kStates) {
      EXPECT_EQ(MayMove(from, to), from == DeliveryState::kPending)
          << ToString(from) << " to " << ToString(to);
    }
  }
}

TEST(DeliveryStateTest, NothingMovesFromOrToAnUnknownState) {
  const auto unknown = static_cast<DeliveryState>(99);
  EXPECT_FALSE(MayMove(DeliveryState::kPending, unknown));
  EXPECT_FALSE(MayMove(unknown, DeliveryState::kSucceeded));
}

// Every kind of outcome, below and at the last retry, with the endpoint there and gone.
TEST(DecideTest, WalksEveryTransition) {
  DeliveryPolicy policy;
  policy.max_retries = 3;
  for (ErrorKind error : kErrors) {
    for (uint32_t failures : {0U, 1U, 2U, 3U, 4U}) {
      for (bool deleted : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << ToString(error) << " after " << failures << " failures, deleted " << deleted);
        const Decision decision = Decide(policy, failures, failures + 1, error, deleted, kNow, 0);
        EXPECT_TRUE(MayMove(DeliveryState::kPending, decision.state));
        EXPECT_EQ(decision.failures, failures + (CountsAsFailure(error) ? 1 : 0));
        if (error == ErrorKind::kNone) {
          EXPECT_EQ(decision.state, DeliveryState::kSucceeded);
          EXPECT_EQ(decision.reason, EndReason::kDelivered);
        } else if (deleted) {
          EXPECT_EQ(decision.state, DeliveryState::kCanceled);
          EXPECT_EQ(decision.reason, EndReason::kEndpointDeleted);
        } else if (error != ErrorKind::kLocal && failures >= 3) {
          EXPECT_EQ(decision.state, DeliveryState::kExhausted);
          EXPECT_EQ(decision.reason, EndReason::kRetriesUsedUp);
        } else {
          EXPECT_EQ(decision.state, DeliveryState::kPending);
          EXPECT_EQ(decision.reason, EndReason::kNone);
        }
        EXPECT_EQ(decision.next_due_ms == 0, IsTerminal(decision.state));
      }
    }
  }
}

TEST(DecideTest, EachFailureWaitsOneStepLonger) {
  const DeliveryPolicy policy;
  EXPECT_EQ(Decide(policy, 0, 0 + 1, ErrorKind::kTimeout, false, kNow, 0).next_due_ms, kNow + 15'000);
  EXPECT_EQ(Decide(policy, 1, 1 + 1, ErrorKind::kTimeout, false, kNow, 0).next_due_ms, kNow + 30'000);
  EXPECT_EQ(Decide(policy, 99, 99 + 1, ErrorKind::kTimeout, false, kNow, 0).next_due_ms, kNow + 900'000);
  EXPECT_EQ(Decide(policy, 0, 0 + 1, ErrorKind::kTimeout, false, kNow, 0.5).next_due_ms, kNow + 15'750);
}

TEST(DecideTest, DefaultPolicyMakes101Attempts) {
  const DeliveryPolicy policy;
  uint32_t failures = 0;
  WallMs now = kNow;
  int attempts = 0;
  Decision decision;
  do {
    ++attempts;
    decision = Decide(policy, failures, failures + 1, ErrorKind::kStatus, false, now, 0);
    failures = decision.failures;
    if (decision.next_due_ms != 0) now = decision.next_due_ms;
  } while (decision.state == DeliveryState::kPending && attempts < 1000);
  EXPECT_EQ(attempts, 101);
  EXPECT_EQ(decision.state, DeliveryState::kExhausted);
  EXPECT_EQ(now - kNow, 63'450'000);  // 17 h 37 min 30 s
}

TEST(DecideTest, NoRetriesMeansOneAttempt) {
  DeliveryPolicy policy;
  policy.max_retries = 0;
  EXPECT_EQ(Decide(policy, 0, 0 + 1, ErrorKind::kConnect, false, kNow, 0).state, DeliveryState::kExhausted);
}

TEST(DecideTest, OurOwnTroubleIsRetriedForeverAtTheDelayOfTheFailuresSoFar) {
  DeliveryPolicy policy;
  policy.max_retries = 0;
  Decision decision = Decide(policy, 0, 0 + 1, ErrorKind::kLocal, false, kNow, 0);
  EXPECT_EQ(decision.state, DeliveryState::kPending);
  EXPECT_EQ(decision.failures, 0U);
  EXPECT_EQ(decision.next_due_ms, kNow + 15'000);

  policy.max_retries = 100;
  decision = Decide(policy, 100, 100 + 1, ErrorKind::kLocal, false, kNow, 0);
  EXPECT_EQ(decision.state, DeliveryState::kPending);
  EXPECT_EQ(decision.failures, 100U);
  EXPECT_EQ(decision.next_due_ms, kNow + 900'000);
  EXPECT_EQ(Decide(policy, 2, 7, ErrorKind::kLocal, false, kNow, 0).next_due_ms, kNow + 105'000);
}

TEST(JudgeTest, StatusDecidesOnceAnAnswerCame) {
  DeliveryPolicy policy;  // 200-209
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 199), ErrorKind::kStatus);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 200), ErrorKind::kNone);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 209), ErrorKind::kNone);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 210), ErrorKind::kStatus);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 301), ErrorKind::kStatus);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 500), ErrorKind::kStatus);

  policy.success = {{200, 200}, {302, 304}};
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 200), ErrorKind::kNone);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 201), ErrorKind::kStatus);
  EXPECT_EQ(Judge(policy, ErrorKind::kNone, 303), ErrorKind::kNone);
}

TEST(JudgeTest, TransportErrorWinsOverStatus) {
  const DeliveryPolicy policy;
  EXPECT_EQ(Judge(policy, ErrorKind::kTimeout, 0), ErrorKind::kTimeout);
  EXPECT_EQ(Judge(policy, ErrorKind::kLocal, 0), ErrorKind::kLocal);
  EXPECT_EQ(Judge(policy, ErrorKind::kResponseTooBig, 200), ErrorKind::kResponseTooBig);
}

TEST(JudgeTest, NoAnswerIsNeverASuccess) {
  EXPECT_EQ(Judge(DeliveryPolicy{}, ErrorKind::kNone, 0), ErrorKind::kProtocol);
}

TEST(CountsAsFailureTest, AllButSuccessAndOurOwnTrouble) {
  for (ErrorKind error : kErrors) {
    EXPECT_EQ(CountsAsFailure(error), error != ErrorKind::kNone && error != ErrorKind::kLocal)
        << ToString(error);
  }
}

}  // namespace
}  // namespace hookd
