#include "cli/delivery_text.h"

#include <gtest/gtest.h>

#include "cli/job_text.h"
#include "cli/statistics_text.h"

namespace hookd::cli {
namespace {

TEST(DeliveryTextTest, WhatItWaitsFor) {
  v1::WaitingOn waiting;
  EXPECT_EQ(WaitingText(waiting), "");
  waiting.set_kind(v1::WAIT_KIND_BEHIND);
  waiting.set_delivery_id("dlv_1");
  EXPECT_EQ(WaitingText(waiting), "behind dlv_1");
  waiting.Clear();
  waiting.set_kind(v1::WAIT_KIND_RETRY_AFTER);
  waiting.set_detail("429");
  waiting.mutable_since()->set_seconds(1);
  waiting.mutable_until()->set_seconds(61);
  EXPECT_EQ(WaitingText(waiting),
            "retry after (429), since 1970-01-01T00:00:01Z, until 1970-01-01T00:01:01Z");
}

TEST(DeliveryTextTest, AnAttemptWithAllThatIsKept) {
  v1::Delivery delivery;
  delivery.set_id("dlv_1");
  delivery.set_state(v1::DELIVERY_STATE_PENDING);
  v1::Attempt& attempt = *delivery.add_attempts();
  attempt.set_number(1);
  attempt.set_status(503);
  attempt.set_error_kind("status");
  attempt.set_decision(v1::ATTEMPT_DECISION_BACKOFF);
  attempt.mutable_next_due_time()->set_seconds(5);
  attempt.mutable_phases()->mutable_queue()->set_nanos(2'000'000);
  attempt.mutable_phases()->mutable_first_byte()->set_nanos(30'000'000);
  attempt.set_response_body("busy\x1b[2J");
  attempt.set_response_body_truncated(true);
  v1::HeaderField& header = *attempt.add_request_headers();
  header.set_name("authorization");
  header.set_masked(true);
  const std::string brief = DeliveryText(delivery, false);
  EXPECT_NE(brief.find("queue 2ms, first byte 30ms  status   backoff until 1970-01-01T00:00:05Z  busy [2J\n"),
            std::string::npos)
      << brief;
  EXPECT_EQ(brief.find("authorization"), std::string::npos) << brief;
  const std::string all = DeliveryText(delivery, true);
  EXPECT_NE(all.find("  request headers\n    authorization: (not shown)\n"
                     "  response body, its beginning\n    busy [2J\n"),
            std::string::npos)
      << all;
}

TEST(JobTextTest, Progress) {
  v1::Job job;
  job.set_matched(30);
  EXPECT_EQ(JobProgressText(job, 10, std::chrono::seconds(2)), "30  10/s");
  job.set_expected(100);
  job.set_skipped(3);
  EXPECT_EQ(JobProgressText(job, 10, std::chrono::seconds(2)),
            "[######..............]  30 %  30 of 100, 3 left alone  10/s, 8s left");
  job.set_matched(120);  // the count at the start was too small
  EXPECT_EQ(JobProgressText(job, 120, std::chrono::seconds(2)),
            "[####################] 100 %  120 of 120, 3 left alone");
}

TEST(StatisticsTextTest, Shares) {
  EXPECT_EQ(ShareText(0, 0), "-");
  EXPECT_EQ(ShareText(1, 3), "33.3 %");
  EXPECT_EQ(ShareText(3, 3), "100.0 %");
}

}  // namespace
}  // namespace hookd::cli
