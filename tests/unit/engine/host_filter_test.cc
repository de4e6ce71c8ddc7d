#include "dispatcher/engine/host_filter.h"

#include <gtest/gtest.h>

namespace hookd {
namespace {

TEST(HostFilterTest, ANameStandsForEveryPort) {
  EXPECT_TRUE(HasHost("https://example.com/hook?key=1", "example.com"));
  EXPECT_TRUE(HasHost("https://Example.COM:8443/", "example.com"));
  EXPECT_FALSE(HasHost("https://www.example.com/", "example.com"));
  EXPECT_FALSE(HasHost("https://example.com.evil/", "example.com"));
  EXPECT_FALSE(HasHost("https://other/example.com", "example.com"));
}

TEST(HostFilterTest, APortIsTheUrlsOrTheSchemes) {
  EXPECT_TRUE(HasHost("https://example.com:8443/", "example.com:8443"));
  EXPECT_TRUE(HasHost("https://example.com/", "example.com:443"));
  EXPECT_TRUE(HasHost("http://example.com/", "example.com:80"));
  EXPECT_FALSE(HasHost("http://example.com/", "example.com:443"));
}

TEST(HostFilterTest, AddressesToo) {
  EXPECT_TRUE(HasHost("http://127.0.0.1:81/", "127.0.0.1"));
  EXPECT_TRUE(HasHost("http://[::1]:81/", "::1"));
  EXPECT_TRUE(HasHost("http://[::1]:81/", "[::1]:81"));
  EXPECT_FALSE(HasHost("http://[::1]:81/", "[::1]:82"));
}

}  // namespace
}  // namespace hookd
