#include "dispatcher/api/page_token.h"

#include <gtest/gtest.h>

namespace hookd {
namespace {

TEST(PageTokenTest, GivesThePositionBack) {
  const std::string position("ep_\0\xff/+", 7);
  const std::string token = MakePageToken("endpoints/acme", position);
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  const absl::StatusOr<std::string> parsed = ParsePageToken("endpoints/acme", token);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, position);
}

TEST(PageTokenTest, EmptyIsTheBeginning) {
  EXPECT_EQ(MakePageToken("q", ""), "");
  EXPECT_EQ(*ParsePageToken("q", ""), "");
}

TEST(PageTokenTest, RefusesATokenOfAnotherQuery) {
  const std::string token = MakePageToken("endpoints/acme", "p");
  EXPECT_EQ(ParsePageToken("endpoints/acm", token).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParsePageToken("endpoints/acmep", token).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PageTokenTest, RefusesEveryDamagedToken) {
  const std::string token = MakePageToken("q", "position");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    const absl::StatusOr<std::string> parsed = ParsePageToken("q", damaged);
    // The last character has bits that base64 ignores.
    if (parsed.ok()) {
      EXPECT_EQ(i, token.size() - 1);
      EXPECT_EQ(*parsed, "position");
    }
  }
  for (size_t length = 1; length < token.size(); ++length) {
    EXPECT_FALSE(ParsePageToken("q", token.substr(0, length)).ok()) << length;
  }
}

TEST(PageTokenTest, RefusesWhatWasMadeUp) {
  for (const char* text : {"x", "abc", "ep_0000000000000001", "!!!!", "AAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_EQ(ParsePageToken("q", text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParsePageToken("q", std::string(kMaxPageTokenBytes + 4, 'A')).ok());
}

TEST(PageSizeTest, HoldsTheRange) {
  EXPECT_EQ(*CheckPageSize(0), 100u);
  EXPECT_EQ(*CheckPageSize(1), 1u);
  EXPECT_EQ(*CheckPageSize(1000), 1000u);
  EXPECT_EQ(CheckPageSize(1001).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckPageSize(-1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hookd
