#include "cli/parse.h"

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

TEST(ParseTest, Durations) {
  EXPECT_EQ(ParseDuration("1500ms")->seconds(), 1);
  EXPECT_EQ(ParseDuration("1500ms")->nanos(), 500'000'000);
  EXPECT_EQ(ParseDuration("15m")->seconds(), 900);
  EXPECT_EQ(ParseDuration("24h")->seconds(), 86'400);
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

TEST(ParseTest, Headers) {
  EXPECT_EQ(ParseHeader("A:  b: c ")->name(), "A");
  EXPECT_EQ(ParseHeader("A:  b: c ")->value(), "b: c");
  EXPECT_EQ(ParseHeader("A:")->value(), "");
  EXPECT_FALSE(ParseHeader("A"));
  EXPECT_FALSE(ParseHeader(": b"));
}

}  // namespace
}  // namespace hookd::cli
