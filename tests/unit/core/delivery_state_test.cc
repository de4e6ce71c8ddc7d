#include "dispatcher/core/delivery_state.h"

#include <string_view>
#include <utility>

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

AttemptEnd End(uint32_t failures, uint32_t attempt, ErrorKind error) {
  AttemptEnd end;
  end.failures = failures;
  end.attempt = attempt;
  end.error = error;
  return end;
}

// The first attempt was answered so.
AttemptEnd Answered(int status, std::string_view retry_after) {
  AttemptEnd end = End(0, 1, ErrorKind::kStatus);
  end.status = status;
  end.retry_after = retry_after;
  return end;
}

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

TEST(DecideTest, SaysWhy) {
  DeliveryPolicy policy;
  policy.max_retries = 3;
  policy.backoff = LinearBackoff(Millis(15'000), Millis(900'000), 0);
  const auto why = [&](const AttemptEnd& end) { return Decide(policy, end, kNow, 0).why; };
  EXPECT_EQ(why(End(0, 1, ErrorKind::kNone)), AttemptDecision::kDelivered);
  EXPECT_EQ(why(End(0, 1, ErrorKind::kTimeout)), AttemptDecision::kBackoff);
  EXPECT_EQ(why(End(3, 4, ErrorKind::kTimeout)), AttemptDecision::kRetriesUsedUp);
  EXPECT_EQ(why(End(3, 4, ErrorKind::kLocal)), AttemptDecision::kLocalBackoff);
  EXPECT_EQ(why(End(3, 4, ErrorKind::kToken)), AttemptDecision::kRetriesUsedUp);
  EXPECT_EQ(why(Answered(503, "14")), AttemptDecision::kBackoff);
  EXPECT_EQ(why(Answered(503, "16")), AttemptDecision::kRetryAfter);
  AttemptEnd end = End(0, 1, ErrorKind::kTimeout);
  end.expires_ms = kNow;
  EXPECT_EQ(why(end), AttemptDecision::kExpired);
  end.endpoint_deleted = true;
  EXPECT_EQ(why(end), AttemptDecision::kEndpointDeleted);
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
        AttemptEnd end = End(failures, failures + 1, error);
        end.endpoint_deleted = deleted;
        const Decision decision = Decide(policy, end, kNow, 0);
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
  EXPECT_EQ(Decide(policy, End(0, 1, ErrorKind::kTimeout), kNow, 0).next_due_ms, kNow + 15'000);
  EXPECT_EQ(Decide(policy, End(1, 2, ErrorKind::kTimeout), kNow, 0).next_due_ms, kNow + 30'000);
  EXPECT_EQ(Decide(policy, End(99, 100, ErrorKind::kTimeout), kNow, 0).next_due_ms, kNow + 900'000);
  EXPECT_EQ(Decide(policy, End(0, 1, ErrorKind::kTimeout), kNow, 0.5).next_due_ms, kNow + 15'750);
}

TEST(DecideTest, DefaultPolicyMakes101Attempts) {
  const DeliveryPolicy policy;
  uint32_t failures = 0;
  WallMs now = kNow;
  int attempts = 0;
  Decision decision;
  do {
    ++attempts;
    decision = Decide(policy, End(failures, failures + 1, ErrorKind::kStatus), now, 0);
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
  EXPECT_EQ(Decide(policy, End(0, 1, ErrorKind::kConnect), kNow, 0).state, DeliveryState::kExhausted);
}

TEST(DecideTest, OurOwnTroubleIsRetriedForeverAtTheDelayOfTheFailuresSoFar) {
  DeliveryPolicy policy;
  policy.max_retries = 0;
  Decision decision = Decide(policy, End(0, 1, ErrorKind::kLocal), kNow, 0);
  EXPECT_EQ(decision.state, DeliveryState::kPending);
  EXPECT_EQ(decision.failures, 0U);
  EXPECT_EQ(decision.next_due_ms, kNow + 15'000);

  policy.max_retries = 100;
  decision = Decide(policy, End(100, 101, ErrorKind::kLocal), kNow, 0);
  EXPECT_EQ(decision.state, DeliveryState::kPending);
  EXPECT_EQ(decision.failures, 100U);
  EXPECT_EQ(decision.next_due_ms, kNow + 900'000);
  EXPECT_EQ(Decide(policy, End(2, 7, ErrorKind::kLocal), kNow, 0).next_due_ms, kNow + 105'000);
}

// Without Retry-After the first retry is due after 15 s.
TEST(DecideTest, RetryAfterHoldsTheEndpointAndDelaysTheRetry) {
  struct Case {
    int status;
    std::string_view retry_after;
    int64_t hold_ms, due_ms;  // from now; hold 0 = none
  };
  const Case cases[] = {
      {429, "60", 60'000, 60'000},
      {503, "60", 60'000, 60'000},
      {429, "15", 15'000, 15'000},
      {429, "3", 3'000, 15'000},  // the backoff is later
      {429, "3600", 3'600'000, 3'600'000},
      {429, "3601", 3'600'000, 3'600'000},  // the policy's most
      {503, "99999999999999999999999", 3'600'000, 3'600'000},
      {503, "Tue, 14 Nov 2023 22:15:20 GMT", 120'000, 120'000},
      {503, "Tue, 14 Nov 2023 22:13:20 GMT", 0, 15'000},  // now
      {503, "Tue, 14 Nov 2023 22:13:19 GMT", 0, 15'000},
      {429, "0", 0, 15'000},
      {429, "", 0, 15'000},
      {429, "soon", 0, 15'000},
      {429, "-60", 0, 15'000},
      {500, "60", 0, 15'000},
      {301, "60", 0, 15'000},
  };
  for (const auto& [status, retry_after, hold_ms, due_ms] : cases) {
    const Decision decision = Decide({}, Answered(status, retry_after), kNow, 0);
    SCOPED_TRACE(testing::Message() << status << " " << retry_after);
    EXPECT_EQ(decision.hold_until_ms, hold_ms == 0 ? 0 : kNow + hold_ms);
    EXPECT_EQ(decision.next_due_ms, kNow + due_ms);
    EXPECT_EQ(decision.failures, 1U);  // it spends a retry
    EXPECT_EQ(decision.state, DeliveryState::kPending);
  }
}

TEST(DecideTest, ThePolicyBoundsRetryAfter) {
  DeliveryPolicy policy;
  policy.retry_after_max = Millis(0);
  EXPECT_EQ(Decide(policy, Answered(429, "60"), kNow, 0).hold_until_ms, 0);
  EXPECT_EQ(Decide(policy, Answered(429, "60"), kNow, 0).next_due_ms, kNow + 15'000);
  policy.retry_after_max = Millis(20'500);
  EXPECT_EQ(Decide(policy, Answered(429, "60"), kNow, 0).hold_until_ms, kNow + 20'500);
  EXPECT_EQ(Decide(policy, Answered(429, "60"), kNow, 0).next_due_ms, kNow + 20'500);
}

TEST(DecideTest, AHoldOutlivesItsDelivery) {
  DeliveryPolicy policy;
  policy.max_retries = 0;
  const Decision exhausted = Decide(policy, Answered(503, "60"), kNow, 0);
  EXPECT_EQ(exhausted.state, DeliveryState::kExhausted);
  EXPECT_EQ(exhausted.next_due_ms, 0);
  EXPECT_EQ(exhausted.hold_until_ms, kNow + 60'000);

  AttemptEnd end = Answered(503, "60");
  end.expires_ms = kNow;
  const Decision expired = Decide({}, end, kNow, 0);
  EXPECT_EQ(expired.state, DeliveryState::kExpired);
  EXPECT_EQ(expired.hold_until_ms, kNow + 60'000);
}

TEST(DecideTest, OnlyAFailedStatusHolds) {
  DeliveryPolicy policy;
  policy.success = {{200, 599}};
  AttemptEnd end = Answered(503, "60");
  for (ErrorKind error : {ErrorKind::kNone, ErrorKind::kProtocol, ErrorKind::kLocal}) {
    end.error = error;
    EXPECT_EQ(Decide(policy, end, kNow, 0).hold_until_ms, 0) << ToString(error);
  }
}

TEST(DecideTest, AFailureAtOrAfterTheExpiryEndsTheDelivery) {
  for (ErrorKind error : {ErrorKind::kStatus, ErrorKind::kTimeout, ErrorKind::kLocal}) {
    SCOPED_TRACE(ToString(error));
    AttemptEnd end = End(3, 4, error);
    for (WallMs expires : {kNow, kNow - 1, WallMs{1}}) {
      end.expires_ms = expires;
      const Decision decision = Decide({}, end, kNow, 0);
      EXPECT_EQ(decision.state, DeliveryState::kExpired);
      EXPECT_EQ(decision.reason, EndReason::kExpiresAt);
      EXPECT_EQ(decision.next_due_ms, 0);
      EXPECT_EQ(decision.failures, error == ErrorKind::kLocal ? 3U : 4U);
    }
    end.expires_ms = kNow + 1;
    EXPECT_EQ(Decide({}, end, kNow, 0).state, DeliveryState::kPending);
    EXPECT_EQ(Decide({}, end, kNow, 0).next_due_ms, kNow + 1);
  }
}

TEST(DecideTest, ARetryIsNeverDueAfterTheExpiry) {
  AttemptEnd end = End(0, 1, ErrorKind::kStatus);
  const std::pair<int64_t, int64_t> cases[] = {{14'999, 14'999}, {15'000, 15'000}, {15'001, 15'000}};
  for (const auto& [expires, due] : cases) {
    end.expires_ms = kNow + expires;
    EXPECT_EQ(Decide({}, end, kNow, 0).next_due_ms, kNow + due);
  }
  end = Answered(429, "60");
  end.expires_ms = kNow + 59'999;
  EXPECT_EQ(Decide({}, end, kNow, 0).next_due_ms, kNow + 59'999);
  EXPECT_EQ(Decide({}, end, kNow, 0).hold_until_ms, kNow + 60'000);
}

TEST(DecideTest, WhatEndsADeliveryFirst) {
  DeliveryPolicy policy;
  policy.max_retries = 0;
  AttemptEnd end = End(0, 1, ErrorKind::kNone);
  end.endpoint_deleted = true;
  end.expires_ms = kNow - 1;
  EXPECT_EQ(Decide(policy, end, kNow, 0).state, DeliveryState::kSucceeded);
  end.error = ErrorKind::kStatus;
  EXPECT_EQ(Decide(policy, end, kNow, 0).state, DeliveryState::kCanceled);
  end.endpoint_deleted = false;
  EXPECT_EQ(Decide(policy, end, kNow, 0).state, DeliveryState::kExhausted);
  policy.max_retries = 1;
  EXPECT_EQ(Decide(policy, end, kNow, 0).state, DeliveryState::kExpired);
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

TEST(DecideTest, ARefusedTokenIsTriedAgainAtOnceAndCounts) {
  DeliveryPolicy policy;
  policy.max_retries = 3;
  AttemptEnd end = End(1, 2, ErrorKind::kStatus);
  end.status = 401;
  end.token_refused = true;
  Decision decision = Decide(policy, end, kNow, 0.5);
  EXPECT_EQ(decision.state, DeliveryState::kPending);
  EXPECT_EQ(decision.next_due_ms, kNow);
  EXPECT_EQ(decision.failures, 2U);
  EXPECT_EQ(decision.why, AttemptDecision::kNewToken);
  end.failures = 3;
  EXPECT_EQ(Decide(policy, end, kNow, 0.5).state, DeliveryState::kExhausted);
  end.failures = 1;
  end.expires_ms = kNow;
  EXPECT_EQ(Decide(policy, end, kNow, 0.5).state, DeliveryState::kExpired);
}

}  // namespace
}  // namespace hookd
