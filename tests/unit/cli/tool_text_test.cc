#include "cli/tool_text.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

TEST(ToolTextTest, AFailureWithAllThatIsKnown) {
  v1::TestResult result;
  result.set_event_type("message:in:new");
  result.set_sample("text");
  result.mutable_diagnosis()->set_kind(v1::DIAGNOSIS_KIND_CERTIFICATE_NAME);
  result.mutable_diagnosis()->set_text("it is for other.example\x1b[2J");
  result.set_webhook_id("evt_1");
  result.mutable_certificate()->add_names("other.example");
  result.mutable_certificate()->add_names("www.other.example");
  result.mutable_certificate()->set_issuer("CN=some CA");
  result.mutable_certificate()->mutable_valid_from()->set_seconds(1);
  result.mutable_certificate()->mutable_valid_until()->set_seconds(86'400);
  result.mutable_attempt()->set_error_kind("tls");
  result.mutable_attempt()->mutable_phases()->mutable_connect()->set_nanos(2'000'000);
  result.mutable_attempt()->mutable_phases()->mutable_total()->set_nanos(5'000'000);
  EXPECT_EQ(TestResultText(result),
            "message:in:new (text): CERTIFICATE NAME\n"
            "  that is      it is for other.example [2J\n"
            "  webhook-id   evt_1\n"
            "  certificate  other.example, www.other.example; issued by CN=some CA; 1970-01-01T00:00:01Z to "
            "1970-01-02T00:00:00Z\n"
            "  outcome  tls\n"
            "  took     5ms\n"
            "  phases   connect 2ms\n");
}

TEST(ToolTextTest, OneThatWasNotSent) {
  v1::TestResult result;
  result.set_event_type("t");
  result.mutable_diagnosis()->set_kind(v1::DIAGNOSIS_KIND_NOT_SENT);
  result.mutable_diagnosis()->set_text("not sent: the one before it had no response");
  EXPECT_EQ(TestResultText(result),
            "t: NOT SENT\n  that is      not sent: the one before it had no response\n");
}

}  // namespace
}  // namespace hookd::cli
