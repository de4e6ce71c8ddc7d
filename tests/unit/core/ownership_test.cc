#include "dispatcher/core/ownership.h"

#include <gmock/gmock.h>

#include "base/concat.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;

TEST(OwnershipTest, VerifyTokens) {
  EXPECT_TRUE(CheckVerifyToken("").ok());
  EXPECT_TRUE(CheckVerifyToken(std::string(128, 'a')).ok());
  EXPECT_FALSE(CheckVerifyToken(std::string(129, 'a')).ok());
  EXPECT_FALSE(CheckVerifyToken("a b").ok());
  EXPECT_FALSE(CheckVerifyToken("a\x7f").ok());
}

TEST(OwnershipTest, ChallengesAreLongAndDiffer) {
  EXPECT_THAT(NewChallenge(), ::testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_NE(NewChallenge(), NewChallenge());
}

TEST(OwnershipTest, TheHubChallengeGoesBehindTheQuery) {
  EXPECT_EQ(HubUrl("https://a.test/x", "abc", ""), "https://a.test/x?hub.mode=subscribe&hub.challenge=abc");
  EXPECT_EQ(HubUrl("https://a.test/x?k=%20v&", "abc", "t&k=1/2~"),
            "https://a.test/x?k=%20v&&hub.mode=subscribe&hub.challenge=abc&hub.verify_token=t%26k%3D1%2F2~");
}

TEST(OwnershipTest, AHubAnswerIsTheChallengeAndNothingElse) {
  EXPECT_TRUE(JudgeHub("abc", 200, "abc").proven);
  EXPECT_TRUE(JudgeHub("abc", 299, "abc").proven);
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {200, "abd"}, {200, "abc\n"}, {200, ""}, {302, "abc"}, {404, "abc"}, {500, "abc"}}) {
    const Proof proof = JudgeHub("abc", status, body);
    EXPECT_FALSE(proof.proven) << status << body;
    EXPECT_THAT(proof.expected, HasSubstr("nothing else: \"abc\""));
    EXPECT_THAT(proof.received, HasSubstr(Concat("status ", status)));
  }
  EXPECT_EQ(JudgeHub("abc", 200, "a\x1b" + std::string(300, 'x')).received,
            "status 200, and the body \"a?" + std::string(198, 'x') + "...\"");
}

// python3: base64.b64encode(hmac.new(b"k" * 32, b"abc", "sha256").digest())
constexpr char kMac[] = "r2G2k5Eu/Fbi5G+UlxnqEKnoDWj43PuE4mysUzDaPHQ=";

TEST(OwnershipTest, AnHmacAnswerIsMadeWithOneOfTheKeys) {
  const std::vector<std::string> keys = {std::string(32, 'n'), std::string(32, 'k')};
  const auto judge = [&](int status, const std::string& body) {
    return JudgeHmac(keys, "abc", status, body);
  };
  EXPECT_EQ(HmacChallengeBody("abc"), R"({"type":"endpoint.verification","crc_token":"abc"})");
  EXPECT_TRUE(judge(200, Concat(R"({"response_token": ")", kMac, R"(", "more": 1})")).proven);
  EXPECT_TRUE(judge(200, Concat(R"({"response_token":"sha256=)", kMac, R"("})")).proven);
  EXPECT_FALSE(judge(500, Concat(R"({"response_token":")", kMac, R"("})")).proven);
  const Proof wrong = judge(200, R"({"response_token":"c29tZXRoaW5nIGVsc2U="})");
  EXPECT_FALSE(wrong.proven);
  EXPECT_EQ(wrong.received, "a response_token of another key or text: \"c29tZXRoaW5nIGVsc2U=\"");
  EXPECT_THAT(wrong.expected, HasSubstr("base64 of HMAC-SHA256 over the value of crc_token"));
  for (const char* body : {"", "{", "[]", "\"x\"", "{}", R"({"response_token": 1})", R"({"token": "x"})"}) {
    const Proof proof = judge(200, body);
    EXPECT_FALSE(proof.proven) << body;
    EXPECT_THAT(proof.received, HasSubstr("status 200, and the body")) << body;
  }
  EXPECT_FALSE(judge(200, std::string(10'000, '[')).proven) << "deep nesting";
}

TEST(OwnershipTest, CloudEventsNamesTheOriginAndMayLowerTheRate) {
  const RateLimit rate{5, 5, RateUnit::kRequest};
  const auto judge = [&](int status, const char* origin, const char* allowed) {
    return JudgeCloudEvents("hookd.example", rate, status, origin, allowed);
  };
  EXPECT_TRUE(judge(200, "hookd.example", "").proven);
  EXPECT_TRUE(judge(200, "Hookd.Example", "*").proven);
  EXPECT_TRUE(judge(405, "*", "").proven) << "the status is no consent, nor its opposite";
  EXPECT_FALSE(judge(200, "", "").proven);
  EXPECT_FALSE(judge(200, "other.example", "").proven);
  EXPECT_FALSE(judge(301, "*", "").proven);
  EXPECT_EQ(judge(200, "other.example", "").received,
            "status 200, with WebHook-Allowed-Origin: \"other.example\"");
  EXPECT_EQ(judge(204, "", "").received, "status 204, without WebHook-Allowed-Origin");
  EXPECT_THAT(judge(204, "", "").expected, HasSubstr("WebHook-Allowed-Origin: hookd.example (or *)"));

  EXPECT_EQ(judge(200, "*", "120").allowed_per_second, 2u);
  EXPECT_EQ(judge(200, "*", "60").allowed_per_second, 1u);
  EXPECT_EQ(judge(200, "*", "1").allowed_per_second, 1u) << "the lowest that there is";
  EXPECT_EQ(judge(200, "*", "300").allowed_per_second, std::nullopt) << "as its own";
  EXPECT_EQ(judge(200, "*", "6000").allowed_per_second, std::nullopt);
  EXPECT_FALSE(judge(200, "*", "0").proven);
  EXPECT_FALSE(judge(200, "*", "many").proven);
  EXPECT_EQ(JudgeCloudEvents("h", RateLimit{0, 5, RateUnit::kRequest}, 200, "*", "600").allowed_per_second,
            10u)
      << "it had no limit";
  EXPECT_EQ(RequestRate(rate), 300u);
  EXPECT_EQ(RequestRate(RateLimit{0, 5, RateUnit::kRequest}), std::nullopt);
}

}  // namespace
}  // namespace hookd
