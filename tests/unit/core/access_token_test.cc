#include "dispatcher/core/access_token.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr WallMs kNow = 1'700'000'000'000;

AccessToken TokenFor(const NewTokenText& made) {
  AccessToken token;
  token.id = made.id;
  token.hash = made.hash;
  token.subscriber_ids = {"acme"};
  return token;
}

TEST(AccessToken, ItsTextNamesItsIdAndVerifies) {
  const NewTokenText made = GenerateToken();
  EXPECT_THAT(made.text, StartsWith("hkt_"));
  EXPECT_EQ(made.text.size(), 85u);
  EXPECT_EQ(TokenIdOf(made.text), made.id);
  EXPECT_NE(made.id, 0u);
  EXPECT_TRUE(Verifies(TokenFor(made), made.text, kNow));
  EXPECT_NE(GenerateToken().text, made.text);
}

TEST(AccessToken, AnyOtherTextDoesNotVerify) {
  const NewTokenText made = GenerateToken();
  const AccessToken token = TokenFor(made);
  for (size_t at = 0; at < made.text.size(); ++at) {
    std::string wrong = made.text;
    wrong[at] = wrong[at] == '0' ? '1' : '0';
    EXPECT_FALSE(Verifies(token, wrong, kNow)) << at;
  }
  EXPECT_FALSE(Verifies(token, "", kNow));
  EXPECT_FALSE(Verifies(token, made.text + "0", kNow));
}

TEST(AccessToken, WhatIsNoTokensTextNamesNone) {
  const std::string good = "hkt_00000000000000ff_" + std::string(64, 'a');
  EXPECT_EQ(TokenIdOf(good), 255u);
  for (const std::string& bad :
       {std::string(), std::string("hkt_"), good + "a", good.substr(1), "hkx" + good.substr(3),
        "hkt_00000000000000FF_" + std::string(64, 'a'), "hkt_00000000000000ff-" + std::string(64, 'a'),
        "hkt_0000000000000000_" + std::string(64, 'a'), "hkt_ 0000000000000ff_" + std::string(64, 'a')}) {
    EXPECT_FALSE(TokenIdOf(bad).has_value()) << bad;
  }
}

TEST(AccessToken, ItEndsAtItsTime) {
  const NewTokenText made = GenerateToken();
  AccessToken token = TokenFor(made);
  token.expires_ms = kNow + 1;
  EXPECT_TRUE(Verifies(token, made.text, kNow));
  EXPECT_FALSE(Verifies(token, made.text, kNow + 1));
}

TEST(AccessToken, NamesThereAndBack) {
  EXPECT_EQ(TokenName(255), "tok_00000000000000ff");
  EXPECT_EQ(ParseTokenName("tok_00000000000000ff"), 255u);
  for (const char* bad : {"", "tok_", "tok_ff", "00000000000000ff", "tok_0000000000000000"}) {
    EXPECT_FALSE(ParseTokenName(bad).has_value()) << bad;
  }
}

TEST(AccessToken, OnlyASubscribersIsBound) {
  AccessToken token;
  token.subscriber_ids = {"acme", "beta"};
  EXPECT_TRUE(CheckToken(token, kNow).ok());
  token.role = TokenRole::kViewer;
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()), HasSubstr("role viewer is bound to none"));
  token.subscriber_ids.clear();
  EXPECT_TRUE(CheckToken(token, kNow).ok());
  token.role = TokenRole::kSubscriber;
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()), StartsWith("subscriber_ids: name 1 to 1"));
  token.subscriber_ids = {"acme", "acme"};
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()),
              StartsWith("subscriber_ids[1]: is named twice"));
  token.subscriber_ids = {"no spaces"};
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()), StartsWith("subscriber_ids[0]"));
  token.subscriber_ids.assign(kMaxTokenSubscribers + 1, "acme");
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()), StartsWith("subscriber_ids: name 1 to 1"));
}

TEST(AccessToken, ItsEndIsInTheFuture) {
  AccessToken token;
  token.subscriber_ids = {"acme"};
  token.expires_ms = kNow;
  EXPECT_THAT(std::string(CheckToken(token, kNow).message()), StartsWith("expire_time: is over"));
  token.expires_ms = kNow + 1;
  EXPECT_TRUE(CheckToken(token, kNow).ok());
}

}  // namespace
}  // namespace hookd
