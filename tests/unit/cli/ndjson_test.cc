#include "cli/ndjson.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

using ::testing::HasSubstr;

std::string PayloadOf(const std::string& payload, const std::string& around_colon = "") {
  v1::NewEvent event;
  const absl::Status status = ParseEventLine(
      R"({"subscriber_id":"s","payload":)" + around_colon + payload + around_colon + R"(,"type":"t"})",
      event);
  EXPECT_TRUE(status.ok()) << status << " " << payload;
  EXPECT_EQ(event.subscriber_id(), "s");
  EXPECT_EQ(event.type(), "t");
  return event.payload();
}

TEST(NdjsonTest, PayloadIsTakenByteForByte) {
  for (const std::string payload : {R"({"b": 1,   "a":[1.0,2e3 , {"x":"}]\"\\"}]})", R"("a \" , } text")",
                                    "17", "-0.10", "null", "[]", R"({"u":"\u00e9","raw":"é"})", R"("\\")"}) {
    EXPECT_EQ(PayloadOf(payload), payload);
    EXPECT_EQ(PayloadOf(payload, " \t"), payload);
  }
}

TEST(NdjsonTest, ReadsEveryField) {
  v1::NewEvent event;
  ASSERT_TRUE(ParseEventLine(R"( {"payload" : {} , "subscriber_id":"s\u0031","type":"t","channel":"c",
      "ordering_key":"o","idempotency_key":"i","traceparent":"p",
      "not_before_time":"2030-01-31T12:00:00.5Z","expire_time":"2030-02-01T00:00:00+01:00"} )",
                             event)
                  .ok());
  EXPECT_EQ(event.subscriber_id(), "s1");
  EXPECT_EQ(event.channel(), "c");
  EXPECT_EQ(event.ordering_key(), "o");
  EXPECT_EQ(event.idempotency_key(), "i");
  EXPECT_EQ(event.traceparent(), "p");
  EXPECT_EQ(event.not_before_time().seconds(), 1'896'091'200);
  EXPECT_EQ(event.not_before_time().nanos(), 500'000'000);
  EXPECT_EQ(event.expire_time().seconds(), 1'896'130'800);
  EXPECT_EQ(event.payload(), "{}");
}

TEST(NdjsonTest, RefusesOtherLines) {
  for (const char* line :
       {"", "[]", "x", "{", "{}", R"({"payload":1)", R"({"payload":1,})", R"({"payload":})",
        R"({"payload":1} x)", R"({"type":"t"})", R"({"payload":1,"payload":2})",
        R"({"payl\u006fad":1,"payload":2})", R"({"payload":"unterminated})", R"({"payload":1,"unknown":2})",
        R"({"payload":1,"type":3})", R"({"payload":1,"expire_time":"tomorrow"})",
        R"({"payload":1,"not_before_time":1896091200})", R"({payload:1})", R"({"payload" 1})"}) {
    v1::NewEvent event;
    EXPECT_EQ(ParseEventLine(line, event).code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

TEST(NdjsonTest, SaysWhatIsMissing) {
  v1::NewEvent event;
  EXPECT_THAT(std::string(ParseEventLine(R"({"type":"t"})", event).message()),
              HasSubstr("payload: is missing"));
}

}  // namespace
}  // namespace hookd::cli
