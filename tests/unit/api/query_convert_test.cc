#include "dispatcher/api/query_convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/api/convert.h"

namespace hookd {
namespace {

using ::testing::StartsWith;

TEST(QueryConvertTest, JobIdsGoThereAndBack) {
  EXPECT_EQ(JobIdText(1), "job_0000000000000001");
  EXPECT_EQ(*ParseJobId("job_00000000000000ff"), 255u);
  for (const char* bad : {"", "job_", "job_0000000000000000", "job_00000000000000FF", "job_1",
                          "ep_0000000000000001", "job_000000000000000x", "job_00000000000000001"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseJobId(bad).status())) << bad;
    EXPECT_THAT(std::string(ParseJobId(bad).status().message()), StartsWith("id: "));
  }
}

TEST(QueryConvertTest, AnEndpointIdMayBeLeftOut) {
  EXPECT_FALSE(OptionalEndpointId("")->has_value());
  EXPECT_EQ((*OptionalEndpointId("ep_0001000000000002"))->value, 0x0001'0000'0000'0002u);
  EXPECT_THAT(std::string(OptionalEndpointId("x").status().message()), StartsWith("endpoint_id: "));
}

TEST(QueryConvertTest, TypePatternsAreThoseOfEndpoints) {
  for (const char* good : {"", "*", "message:*", "message:in:new"}) {
    EXPECT_TRUE(CheckTypePattern(good).ok()) << good;
  }
  for (const char* bad : {"mess*age", "a b", "**"}) {
    EXPECT_THAT(std::string(CheckTypePattern(bad).message()), StartsWith("event_type: ")) << bad;
  }
}

TEST(QueryConvertTest, HostsAreLowerCaseWithoutAPath) {
  EXPECT_EQ(*NormalHost("Example.COM:8443"), "example.com:8443");
  EXPECT_EQ(*NormalHost(""), "");
  for (const std::string bad : {"https://example.com", "example.com/x", "user@example.com", "a b"}) {
    EXPECT_THAT(std::string(NormalHost(bad).status().message()), StartsWith("host: ")) << bad;
  }
  EXPECT_FALSE(NormalHost(std::string(300, 'a')).ok());
}

TEST(QueryConvertTest, TimesAreHalfOpenAndInOrder) {
  google::protobuf::Timestamp one;
  one.set_seconds(1);
  google::protobuf::Timestamp two;
  two.set_seconds(2);
  const TimeRange range = *MakeTimeRange(&one, &two, "accept_time");
  EXPECT_EQ(range.from_ms, 1000);
  EXPECT_EQ(range.before_ms, 2000);
  EXPECT_EQ(MakeTimeRange(nullptr, nullptr, "accept_time")->before_ms, 0);
  EXPECT_THAT(std::string(MakeTimeRange(&two, &one, "accept_time").status().message()),
              StartsWith("accept_time_before: "));
  EXPECT_FALSE(MakeTimeRange(&one, &one, "accept_time").ok());
  one.set_nanos(-1);
  EXPECT_THAT(std::string(MakeTimeRange(&one, nullptr, "accept_time").status().message()),
              StartsWith("accept_time_from: "));
}

TEST(QueryConvertTest, WindowsHaveADefault) {
  EXPECT_EQ(*FromProto(v1::STATISTICS_WINDOW_UNSPECIFIED), StatWindow::kHour);
  EXPECT_EQ(*FromProto(v1::STATISTICS_WINDOW_DAY), StatWindow::kDay);
  EXPECT_FALSE(FromProto(static_cast<v1::StatisticsWindow>(9)).ok());
}

}  // namespace
}  // namespace hookd
