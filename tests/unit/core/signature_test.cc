#include "dispatcher/core/signature.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kId[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr int64_t kTimestamp = 1614265330;

std::string Key(std::string_view secret) {
  absl::StatusOr<std::string> key = ParseSecret(secret);
  EXPECT_TRUE(key.ok()) << key.status();
  return key.ok() ? *key : "";
}

std::string Sign(std::string_view body) { return SignV1(Key(kSecret), kId, kTimestamp, body); }

// Published by the Standard Webhooks libraries.
TEST(SignatureTest, MatchesPublishedVectors) {
  EXPECT_EQ(Sign(R"({"test": 2432232314})"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(SignV1(Key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                   1649367553, R"({"email":"test@example.com","username":"test_user"})"),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

TEST(SignatureTest, MatchesPublishedVectorsOfLargeBodies) {
  EXPECT_EQ(Sign(std::string(1'048'576, 'a')), "v1,txpEUxqWZJ5nteTnymUVa+7C4NHpBeXJ6CsBAW0c3/A=");
  EXPECT_EQ(Sign(std::string(262'144, 'a')), "v1,Mw4Pe2WgApuT7NSqnSq0PQPV9gbLdggCl9B865x5Xh0=");
  EXPECT_EQ(Sign(std::string(262'143, 'a')), "v1,NTItnqyWMoFhk2Bbe5V/BMdcFRWgcSQaTgqLHX7FC7c=");
}

TEST(SignatureTest, SignsTheBytesAsTheyAre) {
  EXPECT_EQ(Sign(""), "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=");
  EXPECT_EQ(Sign("{\"text\":\"h\u00e9llo \U0001F44B\"}"), "v1,mF3q1GZpstYd3iSwftLFyonQPG3DJ0pGH4OtSFJL+Vs=");
}

// Published by Svix's server; the Standard Webhooks libraries have none of v1a.
TEST(SignatureTest, MatchesThePublishedVectorOfEd25519) {
  const std::string text =
      "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
  const absl::StatusOr<std::string> seed = ParsePrivateKey(text, "secret");
  ASSERT_TRUE(seed.ok()) << seed.status();
  EXPECT_EQ(FormatPublicKey(PublicKeyOf(*seed)), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
  EXPECT_EQ(SignV1a(*seed, kId, kTimestamp, R"({"test": 2432232314})"),
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==");
}

TEST(SignatureTest, SignsOnSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&good, t] {
      for (int i = 0; i < 200; ++i) {
        good[t] += Sign(R"({"test": 2432232314})") == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(good, testing::Each(200));
}

TEST(SecretTest, PrefixAndPaddingAreOptional) {
  const std::string key(32, 'k');
  EXPECT_EQ(Key("whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), key);
  EXPECT_EQ(Key("whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"), key);
  EXPECT_EQ(Key("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="), key);
}

TEST(SecretTest, FormatAndParseAreInverse) {
  for (size_t size = kMinKeyBytes; size <= kMaxKeyBytes; ++size) {
    std::string key;
    for (size_t i = 0; i < size; ++i) key.push_back(static_cast<char>(i * 37 + size));
    const std::string text = FormatSecret(key);
    EXPECT_THAT(text, testing::StartsWith("whsec_"));
    EXPECT_EQ(Key(text), key);
  }
  EXPECT_EQ(FormatSecret(Key(kSecret)), kSecret);
}

TEST(SecretTest, KeysOutside24To64BytesAreRefused) {
  for (size_t size : {0, 1, 23, 65, 81}) {
    const absl::Status status = ParseSecret(FormatSecret(std::string(size, 'k'))).status();
    EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT: signing_secret: holds a key of " + std::to_string(size) +
                                     " bytes, use 24 to 64");
  }
}

TEST(SecretTest, WhatIsNotStrictBase64IsRefusedAndNeverEchoed) {
  const std::string good = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  for (const std::string& bad :
       {"hwsec_" + good, "whsk_" + good, "WHSEC_" + good, "whsec_whsec_" + good, good + " ", " " + good,
        good + "\n", good.substr(0, 10) + " " + good.substr(10), good + "=",
        good + "==", "*" + good.substr(1), "-_" + good.substr(2), good + "A",
        std::string("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2t="),
        std::string("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=="), good + std::string(1, '\0')}) {
    EXPECT_EQ(ParseSecret(bad).status().ToString(),
              "INVALID_ARGUMENT: signing_secret: is not \"whsec_\" and standard base64")
        << bad;
  }
}

TEST(SecretTest, GeneratedKeysDiffer) {
  const std::string first = GenerateKey();
  EXPECT_EQ(first.size(), 32U);
  EXPECT_NE(first, GenerateKey());
  EXPECT_EQ(Key(FormatSecret(first)), first);
}

TEST(SecretTest, RefusesEveryOtherPrivateKey) {
  const std::string good =
      "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
  for (const std::string& bad :
       {good, "whsec_" + good, "whpk_" + good, std::string("whsk_"), "whsk_" + good.substr(0, 44),
        "whsk_" + good + "A", std::string("whsk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="),
        " whsk_" + good}) {
    EXPECT_EQ(
        ParsePrivateKey(bad, "secret").status().ToString(),
        "INVALID_ARGUMENT: secret: is not \"whsk_\" and standard base64 of 64 bytes, a private key's seed "
        "and its public key")
        << bad;
  }
  EXPECT_EQ(ParsePrivateKey("whsk_7" + good.substr(1), "secret").status().ToString(),
            "INVALID_ARGUMENT: secret: its public key is not that of its private key");
}

TEST(SecretTest, FingerprintsAreTheBeginningOfSha256) { EXPECT_EQ(FingerprintOf("abc"), "ba7816bf8f01cfea"); }

TEST(SignatureDeathTest, NeverSignsWithNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(SignV1("", kId, kTimestamp, "{}"), "signing key is empty");
  EXPECT_DEATH(SignV1a("short", kId, kTimestamp, "{}"), "a seed of Ed25519 has 32 bytes");
}

}  // namespace
}  // namespace hookd
