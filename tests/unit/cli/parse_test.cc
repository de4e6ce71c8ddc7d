#include "cli/parse.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

TEST(ParseTest, Durations) {
  EXPECT_EQ(ParseDuration("1500ms")->seconds(), 1);
  EXPECT_EQ(ParseDuration("1500ms")->nanos(), 500'000'000);
  EXPECT_EQ(ParseDuration("15m")->seconds(), 900);
  EXPECT_EQ(ParseDuration("24h")->seconds(), 86'400);
  EXPECT_EQ(ParseDuration("7d")->seconds(), 604'800);
  for (const char* text :
       {"", "15", "s", "-1s", "1.5s", "1 s", "1sec", "99999999999999999999s", "9999999999h"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(ParseTest, StatusRanges) {
  EXPECT_EQ(ParseStatusRange("200-209")->last(), 209);
  EXPECT_EQ(ParseStatusRange("410")->first(), 410);
  EXPECT_EQ(ParseStatusRange("410")->last(), 410);
  for (const char* text : {"", "-", "2xx", "200-", "200-209-300"})
    EXPECT_FALSE(ParseStatusRange(text)) << text;
}

TEST(ParseTest, BackoffAndRateLimit) {
  EXPECT_EQ(ParseBackoff("15s:15m:0.1")->linear().cap().seconds(), 900);
  EXPECT_DOUBLE_EQ(ParseBackoff("15s:15m:0.1")->jitter(), 0.1);
  EXPECT_FALSE(ParseBackoff("15s:15m")->has_jitter());
  for (const char* text : {"", "15s", "15s:", "15s:15m:x", "15s:15m:0.1:1"})
    EXPECT_FALSE(ParseBackoff(text)) << text;
  EXPECT_EQ(ParseRateLimit("0")->per_second(), 0u);
  EXPECT_EQ(ParseRateLimit("5:7")->burst(), 7u);
  for (const char* text : {"", "x", "5:", "-1", "1:2:3"}) EXPECT_FALSE(ParseRateLimit(text)) << text;
}

std::string Text(const google::protobuf::Message& message) { return message.ShortDebugString(); }

TEST(ParseTest, KindsOfBackoff) {
  EXPECT_EQ(Text(*ParseBackoff("linear:15s:15m:0.2")), Text(*ParseBackoff("15s:15m:0.2")));
  EXPECT_EQ(Text(*ParseBackoff("fixed:3s")), "fixed { step { seconds: 3 } }");
  EXPECT_EQ(Text(*ParseBackoff("fixed:3s:0")), "fixed { step { seconds: 3 } } jitter: 0");
  EXPECT_EQ(Text(*ParseBackoff("exponential:1s:1h:1.5:0.1")),
            "exponential { step { seconds: 1 } cap { seconds: 3600 } factor: 1.5 } jitter: 0.1");
  EXPECT_FALSE(ParseBackoff("exponential:1s:1h:2")->has_jitter());
  EXPECT_EQ(Text(*ParseBackoff("schedule:5s,5m")),
            "schedule { waits { seconds: 5 } waits { seconds: 300 } }");
  EXPECT_EQ(ParseBackoff("schedule:5s,5m,30m:1")->jitter(), 1);
  for (const char* text : {"linear", "linear:15s", "linear:15s:15m:0.1:1", "fixed", "fixed:", "fixed:x",
                           "fixed:1s:2s", "fixed:1s:0:0", "exponential:1s:1h", "exponential:1s:1h:x",
                           "exponential:1s:1h:0", "exponential:1s:x:2", "schedule:", "schedule:5s,",
                           "schedule:5s:5m", "schedule:5s,5m:0:0", "random:1s:2s", "Linear:1s:2s"}) {
    EXPECT_FALSE(ParseBackoff(text)) << text;
  }
}

TEST(ParseTest, AutoDisable) {
  EXPECT_EQ(Text(*ParseAutoDisable("60:1h")), "failures: 60 span { seconds: 3600 }");
  EXPECT_EQ(Text(*ParseAutoDisable("5:0s")), "failures: 5 span { }");
  EXPECT_EQ(Text(*ParseAutoDisable("never")), "failures: 0");
  for (const char* text : {"", "60", "60:", ":1h", "-1:1h", "60:1h:1", "x:1h", "Never"}) {
    EXPECT_FALSE(ParseAutoDisable(text)) << text;
  }
}

TEST(ParseTest, Times) {
  google::protobuf::Timestamp now;
  now.set_seconds(1'000'000);
  now.set_nanos(900'000'000);
  EXPECT_EQ(ParseTime("15m", now)->seconds(), 1'000'900);
  EXPECT_EQ(ParseTime("200ms", now)->seconds(), 1'000'001);
  EXPECT_EQ(ParseTime("200ms", now)->nanos(), 100'000'000);
  EXPECT_EQ(ParseTime("2030-01-31T12:00:00Z", now)->seconds(), 1'896'091'200);
  EXPECT_EQ(ParseTime("2030-01-31T13:00:00+01:00", now)->seconds(), 1'896'091'200);
  for (const char* text :
       {"", "tomorrow", "-15m", "2030-01-31", "2030-01-31 12:00:00", "2030-13-31T12:00:00Z", "999999999h"}) {
    EXPECT_FALSE(ParseTime(text, now)) << text;
  }
}

TEST(ParseTest, PastTimes) {
  google::protobuf::Timestamp now;
  now.set_seconds(1'000'000);
  EXPECT_EQ(ParsePast("2h", now)->seconds(), 992'800);
  EXPECT_EQ(ParsePast("1d", now)->seconds(), 913'600);
  EXPECT_EQ(ParsePast("500ms", now)->nanos(), 500'000'000);
  EXPECT_EQ(ParsePast("2030-01-31T12:00:00Z", now)->seconds(), 1'896'091'200);
  for (const char* text : {"", "yesterday", "-2h", "20d", "1000000s"})
    EXPECT_FALSE(ParsePast(text, now)) << text;
}

TEST(ParseTest, FilesThatCannotBeRead) {
  EXPECT_EQ(ReadFile("/").status().message(), "cannot read /: Is a directory");
  EXPECT_EQ(ReadFile("/nonexistent").status().message(),
            "cannot read /nonexistent: No such file or directory");
  EXPECT_EQ(ReadFile("/dev/zero").status().message(), "/dev/zero is larger than 16777216 bytes");
  EXPECT_EQ(*ReadFile("/dev/null"), "");
}

TEST(ParseTest, Headers) {
  EXPECT_EQ(ParseHeader("A:  b: c ")->name(), "A");
  EXPECT_EQ(ParseHeader("A:  b: c ")->value(), "b: c");
  EXPECT_EQ(ParseHeader("A:")->value(), "");
  EXPECT_FALSE(ParseHeader("A"));
  EXPECT_FALSE(ParseHeader(": b"));
}

TEST(ParseTest, ExactFirstMembersProbesAndSettings) {
  EXPECT_TRUE(ParseBackoff("15s:15m:0.1:exact")->exact_first());
  EXPECT_TRUE(ParseBackoff("fixed:15s:exact")->exact_first());
  EXPECT_FALSE(ParseBackoff("15s:15m")->has_exact_first());
  EXPECT_FALSE(ParseBackoff("exact"));
  EXPECT_EQ(ParseRateLimit("5:1:member")->unit(), v1::RATE_UNIT_MEMBER);
  EXPECT_EQ(ParseRateLimit("5:member")->burst(), 0u);
  EXPECT_FALSE(ParseRateLimit("member"));
  EXPECT_EQ(ParseAutoProbe("5m:1h")->cap().seconds(), 3600);
  EXPECT_FALSE(ParseAutoProbe("5m")->has_cap());
  EXPECT_EQ(ParseAutoProbe("never")->first().seconds(), 0);
  EXPECT_TRUE(ParseAutoProbe("never")->has_first());
  EXPECT_FALSE(ParseAutoProbe("soon"));
  EXPECT_FALSE(ParseAutoProbe("1m:2m:3m"));
  EXPECT_EQ(ParseSetting("a=on"), std::pair(std::string("a"), true));
  EXPECT_EQ(ParseSetting("a=off"), std::pair(std::string("a"), false));
  EXPECT_FALSE(ParseSetting("a=yes"));
  EXPECT_FALSE(ParseSetting("=on"));
  EXPECT_FALSE(ParseSetting("a"));
}

}  // namespace
}  // namespace hookd::cli
