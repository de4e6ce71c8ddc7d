#include "dispatcher/core/retry_after.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr WallMs kNow = 1'700'000'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT

constexpr int64_t kLongest = kMaxRetryAfter.count();

struct Case {
  std::string value;
  int64_t wait_ms;
};

void ExpectWaits(const std::vector<Case>& cases, WallMs now) {
  for (const auto& [value, wait_ms] : cases) {
    const std::optional<Millis> wait = ParseRetryAfter(value, now);
    ASSERT_TRUE(wait.has_value()) << value;
    EXPECT_EQ(wait->count(), wait_ms) << value;
  }
}

TEST(RetryAfterTest, TakesSeconds) {
  ExpectWaits({{"0", 0},
               {"1", 1000},
               {"120", 120'000},
               {"007", 7000},
               {" 5\t", 5000},
               {"31622400", kLongest},
               {"31622399", kLongest - 1000},
               {"31622401", kLongest},
               {"9223372036854775807", kLongest},
               {"9223372036854775808", kLongest},
               {"18446744073709551616", kLongest},
               {std::string(10'000, '9'), kLongest}},
              kNow);
}

TEST(RetryAfterTest, TakesEveryFormOfADate) {
  ExpectWaits({{"Tue, 14 Nov 2023 22:13:21 GMT", 1000},
               {"Wed, 15 Nov 2023 22:13:20 GMT", 86'400'000},
               {"Tuesday, 14-Nov-23 22:13:22 GMT", 2000},
               {"Tue Nov 14 22:13:23 2023", 3000},
               {"Fri Dec  1 00:00:00 2023", 1'388'800'000},
               {" Tue, 14 Nov 2023 22:13:21 GMT ", 1000},
               {"Sun, 06 Nov 2033 08:49:37 GMT", kLongest},
               {"Fri, 31 Dec 9999 23:59:59 GMT", kLongest}},
              kNow);
}

TEST(RetryAfterTest, CountsTheMilliseconds) {
  ExpectWaits({{"Tue, 14 Nov 2023 22:13:21 GMT", 1}}, kNow + 999);
  ExpectWaits({{"Tue, 14 Nov 2023 22:13:21 GMT", 0}}, kNow + 1000);
}

TEST(RetryAfterTest, ADateInThePastIsNoWait) {
  ExpectWaits({{"Tue, 14 Nov 2023 22:13:20 GMT", 0},
               {"Tue, 14 Nov 2023 22:13:19 GMT", 0},
               {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
               {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
               {"Sun Nov  6 08:49:37 1994", 0},
               {"Mon, 01 Jan 0001 00:00:00 GMT", 0}},
              kNow);
}

// RFC 9110, 5.6.7: more than 50 years ahead means the century before. `kNow` is in 2023.
TEST(RetryAfterTest, ATwoDigitYearIsNearNow) {
  ExpectWaits({{"Monday, 01-Jan-24 00:00:00 GMT", 4'067'200'000},
               {"Sunday, 14-Nov-72 00:00:00 GMT", kLongest},
               {"Tuesday, 14-Nov-73 22:13:20 GMT", kLongest},
               {"Tuesday, 14-Nov-73 22:13:21 GMT", 0},
               {"Wednesday, 14-Nov-74 00:00:00 GMT", 0},
               {"Monday, 14-Nov-22 00:00:00 GMT", 0}},
              kNow);
  const WallMs in_2080 = 3'471'292'800'000;  // 2080-01-01 00:00:00
  ExpectWaits({{"Monday, 01-Jan-80 00:00:05 GMT", 5000},
               {"Sunday, 31-Dec-79 00:00:00 GMT", 0},
               {"Monday, 01-Jan-00 00:00:00 GMT", kLongest}},
              in_2080);
}

TEST(RetryAfterTest, AnythingElseIsNothing) {
  for (std::string_view value : {"",
                                 " ",
                                 "-1",
                                 "+1",
                                 "1.5",
                                 "1e3",
                                 "0x10",
                                 "60s",
                                 "60, 60",
                                 "1 2",
                                 "soon",
                                 "infinite-future",
                                 "infinite-past",
                                 "2023-11-14T22:13:21Z",
                                 "Tue, 14 Nov 2023 22:13:21",
                                 "Tue, 14 Nov 2023 22:13:21 CET",
                                 "Tue, 32 Nov 2023 22:13:21 GMT",
                                 "Tue, 14 Nov 2023 25:13:21 GMT",
                                 "Tue, 14 Nov 2023 22:13:21 GMT x",
                                 "14 Nov 2023 22:13:21 GMT",
                                 "\xff",
                                 "99999999999999999999x"}) {
    EXPECT_FALSE(ParseRetryAfter(value, kNow).has_value()) << value;
  }
  EXPECT_FALSE(ParseRetryAfter(std::string_view("6\0", 2), kNow).has_value());
}

}  // namespace
}  // namespace hookd
