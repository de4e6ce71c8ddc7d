#include "base/model.h"

#include <chrono>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace hookd {
namespace {

// Numbers and names are stored, sent and alerted on: a change here breaks what is already on disk.
TEST(ModelTest, DeliveryStatesKeepNumbersAndNames) {
  EXPECT_EQ(static_cast<int>(DeliveryState::kPending), 1);
  EXPECT_EQ(static_cast<int>(DeliveryState::kSucceeded), 2);
  EXPECT_EQ(static_cast<int>(DeliveryState::kExhausted), 3);
  EXPECT_EQ(static_cast<int>(DeliveryState::kExpired), 4);
  EXPECT_EQ(static_cast<int>(DeliveryState::kCanceled), 5);
  EXPECT_EQ(ToString(DeliveryState::kPending), "PENDING");
  EXPECT_EQ(ToString(DeliveryState::kSucceeded), "SUCCEEDED");
  EXPECT_EQ(ToString(DeliveryState::kExhausted), "EXHAUSTED");
  EXPECT_EQ(ToString(DeliveryState::kExpired), "EXPIRED");
  EXPECT_EQ(ToString(DeliveryState::kCanceled), "CANCELED");
}

TEST(ModelTest, OnlyPendingIsNotTerminal) {
  EXPECT_FALSE(IsTerminal(DeliveryState::kPending));
  EXPECT_TRUE(IsTerminal(DeliveryState::kSucceeded));
  EXPECT_TRUE(IsTerminal(DeliveryState::kExhausted));
  EXPECT_TRUE(IsTerminal(DeliveryState::kExpired));
  EXPECT_TRUE(IsTerminal(DeliveryState::kCanceled));
}

TEST(ModelTest, ErrorKindsKeepNumbersAndNames) {
  const std::string_view names[] = {"none", "status",   "timeout",          "name", "connect",
                                    "tls",  "protocol", "response_too_big", "local"};
  for (int number = 0; number <= 8; ++number) {
    EXPECT_EQ(ToString(static_cast<ErrorKind>(number)), names[number]) << number;
  }
  EXPECT_EQ(static_cast<int>(ErrorKind::kLocal), 8);
  EXPECT_EQ(static_cast<int>(ErrorKind::kToken), 10);
  EXPECT_EQ(static_cast<int>(SigningScheme::kV1a), 2);
}

TEST(ModelTest, EndReasonsKeepNumbersAndNames) {
  const std::string_view names[] = {"none", "delivered", "retries_used_up", "endpoint_deleted"};
  for (int number = 0; number <= 3; ++number) {
    EXPECT_EQ(ToString(static_cast<EndReason>(number)), names[number]) << number;
  }
  EXPECT_EQ(static_cast<int>(EndReason::kEndpointDeleted), 3);
}

// A record of a newer version may hold a number that this one does not know.
TEST(ModelTest, UnknownNumbersHaveAName) {
  EXPECT_EQ(ToString(static_cast<DeliveryState>(200)), "UNKNOWN");
  EXPECT_EQ(ToString(static_cast<ErrorKind>(200)), "unknown");
  EXPECT_EQ(ToString(static_cast<EndReason>(200)), "unknown");
}

TEST(ModelTest, PolicyDefaultsAreTheDocumentedOnes) {
  const DeliveryPolicy policy;
  EXPECT_EQ(policy.mode, DeliveryMode::kOrdered);
  EXPECT_EQ(policy.max_in_flight, 16u);
  EXPECT_EQ(policy.timeout, std::chrono::seconds(30));
  EXPECT_EQ(policy.success, (std::vector<StatusRange>{{200, 209}}));
  EXPECT_EQ(policy.max_retries, 100u);
  EXPECT_EQ(policy.backoff.step, std::chrono::seconds(15));
  EXPECT_EQ(policy.backoff.cap, std::chrono::minutes(15));
  EXPECT_DOUBLE_EQ(policy.backoff.jitter, 0.10);
  EXPECT_EQ(policy.rate, (RateLimit{5, 5}));
}

}  // namespace
}  // namespace hookd
