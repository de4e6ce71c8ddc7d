#include "config/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd::config {
namespace {

using ::testing::HasSubstr;

TEST(ConfigValueTest, ReadsSizesOfEveryUnit) {
  EXPECT_EQ(*ParseByteSize("0B"), 0);
  EXPECT_EQ(*ParseByteSize("512B"), 512);
  EXPECT_EQ(*ParseByteSize("4KiB"), 4096);
  EXPECT_EQ(*ParseByteSize("64MiB"), 67'108'864);
  EXPECT_EQ(*ParseByteSize("1GiB"), 1'073'741'824);
}

TEST(ConfigValueTest, RefusesSizesThatAreNot) {
  for (const char* text : {"", "64", "64MB", "64mib", "64 MiB", "-1MiB", "1.5MiB", "MiB", "64MiBx"}) {
    EXPECT_THAT(ParseByteSize(text).status().message(), HasSubstr("like 64MiB")) << text;
  }
}

TEST(ConfigValueTest, RefusesSizesAboveTheRangeOfTheirType) {
  EXPECT_EQ(*ParseByteSize("8589934591GiB"), 9'223'372'035'781'033'984);
  EXPECT_THAT(ParseByteSize("8589934592GiB").status().message(), HasSubstr("too large"));
  EXPECT_THAT(ParseByteSize("99999999999999999999B").status().message(), HasSubstr("too large"));
}

TEST(ConfigValueTest, ReadsDurationsOfEveryUnit) {
  EXPECT_EQ(*ParseDurationMs("500ms"), 500);
  EXPECT_EQ(*ParseDurationMs("30s"), 30'000);
  EXPECT_EQ(*ParseDurationMs("15m"), 900'000);
  EXPECT_EQ(*ParseDurationMs("1h"), 3'600'000);
}

TEST(ConfigValueTest, RefusesDurationsThatAreNot) {
  for (const char* text : {"", "30", "30sec", "1m30s", "-1s", "s", "0.5s", "30 s"}) {
    EXPECT_THAT(ParseDurationMs(text).status().message(), HasSubstr("like 30s")) << text;
  }
}

TEST(ConfigValueTest, RefusesIntegersThatAreNot) {
  EXPECT_EQ(*ParseInteger("-7"), -7);
  for (const char* text : {"", "1.5", "0x10", "12a", " 12", "true", "99999999999999999999"}) {
    EXPECT_THAT(ParseInteger(text).status().message(), HasSubstr("like 512")) << text;
  }
}

TEST(ConfigValueTest, TellsLoopbackFromOtherAddresses) {
  for (const char* text : {"127.0.0.1:7070", "127.255.0.9:0", "[::1]:65535"}) {
    EXPECT_TRUE(CheckFormat(v1::FORMAT_LISTEN, text).ok()) << text;
    EXPECT_TRUE(IsLoopback(text)) << text;
  }
  for (const char* text :
       {"0.0.0.0:7070", "128.0.0.1:7070", "[::]:7070", "[::ffff:127.0.0.1]:7070", "10.0.0.1:1"}) {
    EXPECT_TRUE(CheckFormat(v1::FORMAT_LISTEN, text).ok()) << text;
    EXPECT_FALSE(IsLoopback(text)) << text;
  }
}

TEST(ConfigValueTest, RefusesAddressesThatAreNot) {
  for (const char* text :
       {"7070", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1",
        "localhost:7070", "::1:7070", "[127.0.0.1]:7070", "[]:1", "127.1:7070", ":7070"}) {
    EXPECT_THAT(CheckFormat(v1::FORMAT_LISTEN, text).message(), HasSubstr("write IP:PORT")) << text;
  }
}

TEST(ConfigValueTest, DnsServersNeedAPort) {
  EXPECT_TRUE(CheckFormat(v1::FORMAT_IP_PORT, "9.9.9.9:53").ok());
  EXPECT_TRUE(CheckFormat(v1::FORMAT_IP_PORT, "[2620:fe::fe]:53").ok());
  EXPECT_THAT(CheckFormat(v1::FORMAT_IP_PORT, "9.9.9.9:0").message(), HasSubstr("1 to 65535"));
}

}  // namespace
}  // namespace hookd::config
