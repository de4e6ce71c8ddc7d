#include "dispatcher/core/signing_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallMs kNow = 1'700'000'000'123;
constexpr Millis kDay{24LL * 3'600'000};

SigningKey V1(char c, WallMs expires_ms = 0) {
  return {std::string(32, c), SigningScheme::kV1, 1, expires_ms};
}
SigningKey V1a(char c, WallMs expires_ms = 0) {
  return {std::string(32, c), SigningScheme::kV1a, 1, expires_ms};
}

std::string NamesOf(const std::vector<SigningKey>& keys) {
  std::string names;
  for (const SigningKey& key : keys) names += key.key[0];
  return names;
}

TEST(SigningKeysTest, SignsWithEveryKeyThatHasNotEndedV1aFirstAndEachNewestFirst) {
  const std::vector<SigningKey> keys = {
      V1('n'), V1a('N'), V1('o', kNow + 1), V1a('O', kNow + 1), V1('e', kNow), V1a('E', kNow - 1)};
  const std::string seed_new(32, 'N');
  const std::string seed_old(32, 'O');
  EXPECT_EQ(Sign(keys, kNow, "id", "{}"), SignV1a(seed_new, "id", 1'700'000'000, "{}") + " " +
                                              SignV1a(seed_old, "id", 1'700'000'000, "{}") + " " +
                                              SignV1(keys[0].key, "id", 1'700'000'000, "{}") + " " +
                                              SignV1(keys[2].key, "id", 1'700'000'000, "{}"));
  EXPECT_EQ(SecretsAt(keys, kNow), (std::vector<std::string>{keys[0].key, keys[2].key}));
  // The last one alone is what some verifiers look at: of the overlap's V1 keys, the oldest.
  EXPECT_EQ(Sign(keys, kNow + 1, "id", "{}"), SignV1a(seed_new, "id", 1'700'000'000, "{}") + " " +
                                                  SignV1(keys[0].key, "id", 1'700'000'000, "{}"));
}

TEST(SigningKeysTest, ANewKeyComesFirstAndEndsThoseOfItsSchemeAfterTheOverlap) {
  std::vector<SigningKey> keys = {V1('a'), V1a('A')};
  ASSERT_TRUE(Rotate(keys, {std::string(24, 'b')}, kDay, kNow).ok());
  EXPECT_EQ(NamesOf(keys), "baA");
  EXPECT_EQ(keys[0], (SigningKey{std::string(24, 'b'), SigningScheme::kV1, kNow, 0}));
  EXPECT_EQ(keys[1].expires_ms, kNow + kDay.count());
  EXPECT_EQ(keys[2].expires_ms, 0) << "another scheme's";

  ASSERT_TRUE(Rotate(keys, V1('c'), 2 * kDay, kNow + 1).ok());
  EXPECT_EQ(NamesOf(keys), "cbaA");
  EXPECT_EQ(keys[1].expires_ms, kNow + 1 + 2 * kDay.count());
  EXPECT_EQ(keys[2].expires_ms, kNow + kDay.count()) << "one that ends earlier still does";

  ASSERT_TRUE(Rotate(keys, V1('d'), Millis(5), kNow + 2).ok());
  EXPECT_EQ(keys[1].expires_ms, kNow + 7);
  EXPECT_EQ(keys[2].expires_ms, kNow + 7);
  ASSERT_TRUE(Rotate(keys, V1a('B'), kDay, kNow + 7).ok());
  EXPECT_EQ(NamesOf(keys), "BdA") << "what has ended went";

  ASSERT_TRUE(Rotate(keys, V1('e'), Millis(0), kNow + 8).ok());
  EXPECT_EQ(NamesOf(keys), "eBA") << "at once";
  EXPECT_TRUE(CheckSigningKeys(keys).ok());
}

TEST(SigningKeysTest, TenAreTheMostAndAnOverlapOfNothingMakesRoom) {
  std::vector<SigningKey> keys = {V1('a')};
  for (char c = 'b'; c <= 'i'; ++c) ASSERT_TRUE(Rotate(keys, V1(c), kDay, kNow).ok());
  ASSERT_TRUE(Rotate(keys, V1a('A'), kDay, kNow).ok());
  ASSERT_EQ(keys.size(), 10U);
  std::vector<SigningKey> full = keys;
  const absl::Status refused = Rotate(full, V1('z'), kDay, kNow);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("signing_keys: there are 10, which is the most: wait"));
  full = keys;
  EXPECT_EQ(Rotate(full, V1a('z'), kDay, kNow).code(), absl::StatusCode::kResourceExhausted);
  full = keys;
  EXPECT_TRUE(Rotate(full, V1a('z'), Millis(0), kNow).ok());
  EXPECT_EQ(full.size(), 10U);
  full = keys;
  EXPECT_TRUE(Rotate(full, V1('z'), kDay, kNow + kDay.count()).ok());
  EXPECT_EQ(NamesOf(full), "zAi");
  EXPECT_TRUE(Rotate(keys, V1('z'), Millis(0), kNow).ok());
  EXPECT_EQ(NamesOf(keys), "zA");
}

TEST(SigningKeysTest, AKeyThatIsThereIsRefused) {
  std::vector<SigningKey> keys = {V1('a'), V1('b', kNow + 9)};
  EXPECT_EQ(Rotate(keys, V1('b'), kDay, kNow).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Rotate(keys, V1a('b'), kDay, kNow).ok()) << "of the other scheme it is another";
  EXPECT_TRUE(Rotate(keys, V1('b'), kDay, kNow + 9).ok()) << "it had ended";
}

TEST(SigningKeysTest, ChecksSizesCountAndThatASecretStays) {
  const auto check = [](std::vector<SigningKey> keys) { return CheckSigningKeys(keys).ToString(); };
  EXPECT_EQ(check({V1('a'), V1a('A'), V1('b', 5)}), "OK");
  EXPECT_EQ(check({}), "INVALID_ARGUMENT: signing_secret: there are 0, use 1 to 10");
  EXPECT_EQ(check({V1a('A')}), "INVALID_ARGUMENT: signing_secret: no secret of scheme v1 stays, give one");
  EXPECT_EQ(check({V1('a', 5), V1('b')}),
            "INVALID_ARGUMENT: signing_secret: no secret of scheme v1 stays, give one");
  EXPECT_EQ(check({V1('a'), {std::string(33, 'A'), SigningScheme::kV1a}}),
            "INVALID_ARGUMENT: signing_secret: holds a key of 33 bytes, use 32 to 32");
  EXPECT_EQ(check({{std::string(65, 'a')}}),
            "INVALID_ARGUMENT: signing_secret: holds a key of 65 bytes, use 24 to 64");
}

TEST(SigningKeysTest, WhatIsStoredHasNoEndedKeysAndNewOnesHaveTheirTime) {
  const std::vector<SigningKey> before = {{std::string(32, 'a')}, V1('b', kNow)};
  std::vector<SigningKey> keys = before;
  SettleKeys(before, keys, kNow);
  EXPECT_EQ(NamesOf(keys), "a");
  EXPECT_EQ(keys[0].created_ms, 0) << "nobody knows since when it is there";
  keys = {{std::string(32, 'c')}};
  SettleKeys(before, keys, kNow);
  EXPECT_EQ(keys[0].created_ms, kNow);
}

TEST(SigningKeysTest, WhatAPersonBringsIsOfItsScheme) {
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const std::string pair =
      "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
  EXPECT_EQ(ParseSigningKey(SigningScheme::kV1, secret, "secret")->key.size(), 24U);
  EXPECT_EQ(ParseSigningKey(SigningScheme::kV1a, pair, "secret")->key.size(), 32U);
  for (const auto& [scheme, text] :
       {std::pair(SigningScheme::kV1, pair), std::pair(SigningScheme::kV1a, secret)}) {
    const absl::Status refused = ParseSigningKey(scheme, text, "secret").status();
    EXPECT_THAT(std::string(refused.message()), HasSubstr("secret: is not"));
    EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("MfKQ")));
    EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("6Xb")));
  }
}

TEST(SigningKeysTest, FingerprintsAreOfWhatTheReceiverHas) {
  EXPECT_EQ(Fingerprint({"abc"}), "ba7816bf8f01cfea");
  const SigningKey pair = GenerateSigningKey(SigningScheme::kV1a);
  EXPECT_EQ(Fingerprint(pair), FingerprintOf(PublicKeyOf(pair.key)));
}

TEST(SigningKeysDeathTest, NeverSignsWithNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Sign({V1('a', kNow)}, kNow, "id", "{}"), "at least one signing key");
}

}  // namespace
}  // namespace hookd
