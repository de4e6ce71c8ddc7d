#include "dispatcher/core/operational_event.h"

#include <gtest/gtest.h>

namespace hookd {
namespace {

OperationalEvent Failing() {
  OperationalEvent event;
  event.type = std::string(operational::kFailing);
  event.at_ms = 1'700'000'000'123;
  event.message = "10 attempts in a row failed, the last: \"no\"";
  event.endpoint = EndpointId::Make(7, 3);
  event.subscriber_id = "acme";
  event.host = "hooks.example.com:8443";
  event.incident = IncidentId(event.endpoint, 1'699'999'000'000);
  event.failures = 10;
  event.failing_since_ms = 1'699'999'000'000;
  event.last_status = 503;
  event.last_error = ErrorKind::kStatus;
  event.mail_subscriber = true;
  return event;
}

TEST(OperationalEvent, APayloadIsReadBackAsItWas) {
  OperationalEvent event = Failing();
  absl::StatusOr<OperationalEvent> read = ParseOperationalPayload(OperationalPayload(event));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, event);

  event.type = std::string(operational::kDisabled);
  event.description =
      "Stra\xc3\x9f"
      "e";
  event.disabled = DisableReason::kGone;
  event.delivery_id = "dlv_1";
  event.event_id = "evt_1";
  read = ParseOperationalPayload(OperationalPayload(event));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, event);
}

TEST(OperationalEvent, WhatIsEmptyIsLeftOut) {
  OperationalEvent event;
  event.type = std::string(operational::kDisk);
  event.at_ms = 0;
  event.message = "full";
  EXPECT_EQ(OperationalPayload(event),
            R"({"type":"hookd.disk","time":"1970-01-01T00:00:00.000Z","message":"full"})");
}

TEST(OperationalEvent, WhatIsNoneIsRefused) {
  EXPECT_FALSE(ParseOperationalPayload("").ok());
  EXPECT_FALSE(ParseOperationalPayload("[]").ok());
  EXPECT_FALSE(ParseOperationalPayload(R"({"type":1})").ok());
  const absl::StatusOr<OperationalEvent> odd =
      ParseOperationalPayload(R"({"type":"x","time":1,"failures":"many","endpoint_id":"ep","more":[]})");
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->failures, 0U);
  EXPECT_EQ(odd->endpoint.value, 0U);
}

TEST(OperationalEvent, GoesToTheReservedSubscriberInTheOrderOfItsEndpoint) {
  const Event event = MakeOperationalEvent(Failing());
  EXPECT_EQ(event.subscriber_id, "hookd.operations");
  EXPECT_EQ(event.type, "endpoint.failing");
  EXPECT_EQ(event.channel, "acme");
  EXPECT_EQ(event.ordering_key, Failing().endpoint.ToString());
}

}  // namespace
}  // namespace hookd
