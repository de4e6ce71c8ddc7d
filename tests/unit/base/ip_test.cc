#include "base/ip.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;

TEST(IpTest, ReadsCanonicalTextAlone) {
  for (const char* text :
       {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1"}) {
    const std::optional<Ip> ip = ParseIp(text);
    ASSERT_TRUE(ip) << text;
    EXPECT_EQ(ToString(*ip), text);
  }
  EXPECT_EQ(ParseIp("::ffff:10.0.0.1"), ParseIp("0:0:0:0:0:ffff:a00:1"));
  for (const char* text : {"", "1", "127.1", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "2130706433",
                           "1.2.3.4.", " 1.2.3.4", "1.2.3.256", "1.2.3.4/8", "[::1]", "fe80::1%eth0",
                           "fe80::1%1", ":::", "::g", "1:2:3:4:5:6:7:8:9", "::1.2.3", "localhost"}) {
    EXPECT_FALSE(ParseIp(text)) << text;
  }
  EXPECT_FALSE(ParseIp(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(ParseIp(std::string(100, '1')));
}

TEST(IpTest, ARangeHoldsItsFirstAndLast) {
  const Cidr range = ParseCidr("172.16.0.0/12").value();
  EXPECT_TRUE(range.Contains(*ParseIp("172.16.0.0")));
  EXPECT_TRUE(range.Contains(*ParseIp("172.31.255.255")));
  EXPECT_FALSE(range.Contains(*ParseIp("172.15.255.255")));
  EXPECT_FALSE(range.Contains(*ParseIp("172.32.0.0")));
  EXPECT_FALSE(range.Contains(*ParseIp("ac10::")));
  EXPECT_TRUE(ParseCidr("0.0.0.0/0")->Contains(*ParseIp("8.8.8.8")));
  EXPECT_TRUE(ParseCidr("::/0")->Contains(*ParseIp("2001:db8::1")));
  EXPECT_FALSE(ParseCidr("::/0")->Contains(*ParseIp("8.8.8.8")));
  EXPECT_TRUE(ParseCidr("8.8.8.8")->Contains(*ParseIp("8.8.8.8")));
  EXPECT_FALSE(ParseCidr("8.8.8.8")->Contains(*ParseIp("8.8.8.9")));
  EXPECT_EQ(ParseCidr("::1")->prefix, 128);
}

TEST(IpTest, SaysWhatIsWrongWithARange) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not an address range"},
      {"10/8", "not an address range"},
      {"10.0.0.0/", "prefix length"},
      {"10.0.0.0/33", "0 to 32"},
      {"10.0.0.0/-1", "prefix length"},
      {"10.0.0.0/08", "prefix length"},
      {"10.0.0.0/8x", "prefix length"},
      {"2001:db8::/129", "0 to 128"},
      {"10.0.0.1/8", "write 10.0.0.0/8"},
      {"2001:db8::1/32", "write 2001:db8::/32"},
      {"::ffff:10.0.0.0/104", "write it as IPv4"},
  };
  for (const auto& [text, why] : cases) {
    const absl::Status status = ParseCidr(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace hookd
