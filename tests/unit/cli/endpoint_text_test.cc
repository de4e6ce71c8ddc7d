#include "cli/endpoint_text.h"

#include <gtest/gtest.h>

#include "cli/parse.h"

namespace hookd::cli {
namespace {

TEST(EndpointTextTest, Backoffs) {
  EXPECT_EQ(BackoffText(*ParseBackoff("15s:15m:0.1")), "15s x n, at most 900s, jitter 0.1");
  EXPECT_EQ(BackoffText(*ParseBackoff("fixed:3s:0")), "3s each, jitter 0");
  EXPECT_EQ(BackoffText(*ParseBackoff("exponential:1s:1h:2:0.5")), "1s x 2^(n-1), at most 3600s, jitter 0.5");
  EXPECT_EQ(BackoffText(*ParseBackoff("schedule:5s,5m:1")), "5s, 300s, the last one repeats, jitter 1");
}

TEST(EndpointTextTest, AutoDisable) {
  v1::AutoDisable disable = *ParseAutoDisable("60:1h");
  EXPECT_EQ(AutoDisableText(disable), "60 failures in a row over 3600s");
  disable.set_on_gone(true);
  EXPECT_EQ(AutoDisableText(disable), "60 failures in a row over 3600s, or status 410");
  disable.set_failures(0);
  EXPECT_EQ(AutoDisableText(disable), "status 410");
  disable.set_on_gone(false);
  EXPECT_EQ(AutoDisableText(disable), "never");
}

TEST(EndpointTextTest, Disabled) {
  v1::Endpoint endpoint;
  EXPECT_EQ(DisabledText(endpoint), "no");
  endpoint.mutable_disabled()->mutable_time()->set_seconds(1);
  endpoint.mutable_disabled()->set_reason(v1::DISABLE_REASON_GONE);
  EXPECT_EQ(DisabledText(endpoint), "it answered 410, since 1970-01-01T00:00:01Z");
  endpoint.mutable_disabled()->set_reason(v1::DISABLE_REASON_FAILURES);
  EXPECT_EQ(DisabledText(endpoint), "too many failures in a row, since 1970-01-01T00:00:01Z");
  endpoint.mutable_disabled()->set_reason(v1::DISABLE_REASON_PERSON);
  EXPECT_EQ(DisabledText(endpoint), "by a person, since 1970-01-01T00:00:01Z");
}

TEST(EndpointTextTest, TlsIsToldApartWithoutItsKey) {
  v1::Endpoint endpoint;
  EXPECT_EQ(TlsText(endpoint), "none of its own");
  endpoint.mutable_tls()->set_ca_pem("one");
  endpoint.mutable_tls()->add_pinned_keys("sha256//pin");
  const std::string one = TlsText(endpoint);
  EXPECT_NE(one.find(", sha256//pin"), std::string::npos) << one;
  endpoint.mutable_tls()->set_client_key_pem("hush");
  EXPECT_EQ(TlsText(endpoint), one);
  endpoint.mutable_tls()->set_ca_pem("two");
  EXPECT_NE(TlsText(endpoint), one);
}

}  // namespace
}  // namespace hookd::cli
