// Tokens in virtual time: the transport below is the test's, and so is the clock.
#include "dispatcher/transport/authorizing_transport.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TestClock final : public Clock {
 public:
  SteadyTime Steady() const override { return now; }
  WallMs Wall() const override { return 1'700'000'000'000; }
  SteadyTime now = SteadyTime(std::chrono::hours(1));
};

// Holds what is sent until the test answers it.
class HeldTransport final : public HttpTransport {
 public:
  struct Sent {
    HttpRequest request;
    Callback done;
  };

  void Send(HttpRequest request, Callback done) override {
    sent.push_back({std::move(request), std::move(done)});
  }
  void CancelAll() override {
    HttpResult result;
    result.error = ErrorKind::kLocal;
    result.error_detail = "shutting down";
    for (Sent& one : std::exchange(sent, {})) one.done(result);
  }

  std::vector<Sent> sent;  // and not answered
};

class AuthorizingTransportTest : public ::testing::Test {
 protected:
  AuthorizingTransportTest() {
    auto held = std::make_unique<HeldTransport>();
    held_ = held.get();
    transport_ = std::make_unique<AuthorizingTransport>(std::move(held), clock_);
  }

  static std::shared_ptr<const OAuth2Credentials> Client(const std::string& id) {
    return std::make_shared<const OAuth2Credentials>(
        OAuth2Credentials{"https://login.example/token", id, "sesame", {"a"}, "", false});
  }

  // The result's place in results_.
  size_t Post(const std::string& client = "one", const std::string& url = "https://hooks.example/") {
    HttpRequest request;
    request.url = url;
    if (!client.empty()) request.oauth2 = Client(client);
    const size_t place = results_.size();
    results_.emplace_back();
    transport_->Send(std::move(request),
                     [this, place](HttpResult result) { results_[place] = std::move(result); });
    return place;
  }

  static bool IsForToken(const HttpRequest& request) { return request.url == "https://login.example/token"; }
  size_t TokenRequests() const {
    return static_cast<size_t>(std::count_if(held_->sent.begin(), held_->sent.end(),
                                             [](const auto& one) { return IsForToken(one.request); }));
  }
  // Of what waits for an answer, but for token requests.
  std::vector<std::string> Authorizations() const {
    std::vector<std::string> values;
    for (const auto& one : held_->sent) {
      if (IsForToken(one.request)) continue;
      std::string value = "-";
      for (const auto& [name, text] : one.request.headers) {
        if (name == "Authorization") value = text;
      }
      values.push_back(value);
    }
    return values;
  }

  // Answers the first one of the kind.
  void Answer(bool token, HttpResult result) {
    const auto it = std::find_if(held_->sent.begin(), held_->sent.end(),
                                 [token](const auto& one) { return IsForToken(one.request) == token; });
    ASSERT_NE(it, held_->sent.end());
    HeldTransport::Sent one = std::move(*it);
    held_->sent.erase(it);
    one.done(std::move(result));
  }
  void Grant(const std::string& token, int seconds = 3600) {
    HttpResult result;
    result.status = 200;
    result.body = Concat(R"({"access_token":")", token, R"(","expires_in":)", seconds, "}");
    Answer(true, std::move(result));
  }
  void Deny(int status) {
    HttpResult result;
    result.status = status;
    result.body = R"({"error":"invalid_client"})";
    Answer(true, std::move(result));
  }
  void Receive(int status) {
    HttpResult result;
    result.status = status;
    result.us.total = 7;
    Answer(false, std::move(result));
  }
  void Advance(Millis time) { clock_.now += time; }

  TestClock clock_;
  std::vector<HttpResult> results_;
  HeldTransport* held_ = nullptr;
  std::unique_ptr<AuthorizingTransport> transport_;
};

TEST_F(AuthorizingTransportTest, WhatHasNoCredentialsPasses) {
  const size_t one = Post("");
  EXPECT_THAT(Authorizations(), ElementsAre("-"));
  Receive(401);
  EXPECT_EQ(results_[one].status, 401);
  EXPECT_FALSE(results_[one].token_refused);
  EXPECT_EQ(transport_->cached(), 0U);
}

TEST_F(AuthorizingTransportTest, OneTokenIsFetchedForAllThatWaitAndThenKept) {
  Post();
  Post();
  Post("one", "https://other.example/");
  EXPECT_EQ(TokenRequests(), 1U);
  const HttpRequest& asked = held_->sent[0].request;
  EXPECT_EQ(std::string(asked.body), "grant_type=client_credentials&scope=a");
  EXPECT_EQ(asked.timeout, kTokenTimeout);
  EXPECT_THAT(Authorizations(), IsEmpty());
  Advance(Millis(250));
  Grant("t1");
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1", "Bearer t1", "Bearer t1"));
  for (const auto& one : held_->sent) EXPECT_EQ(one.request.oauth2, nullptr);
  Receive(200);
  EXPECT_EQ(results_[0].us.total, 250'007) << "the wait counts as the attempt's time";
  Post();
  EXPECT_EQ(TokenRequests(), 0U);
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1", "Bearer t1", "Bearer t1"));
}

TEST_F(AuthorizingTransportTest, OtherCredentialsHaveOtherTokens) {
  Post("one");
  Post("two");
  EXPECT_EQ(TokenRequests(), 2U);
  Grant("t1");
  Grant("t2");
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1", "Bearer t2"));
  EXPECT_EQ(transport_->cached(), 2U);
}

TEST_F(AuthorizingTransportTest, ATokenServerThatHangsHoldsItsOwnRequestsAlone) {
  const size_t hangs = Post("one");
  Post("two");
  Post("");
  Grant("t1");  // the first that waits: of "one"
  held_->sent.erase(std::find_if(held_->sent.begin(), held_->sent.end(),
                                 [](const auto& one) { return !IsForToken(one.request); }));
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1"));
  EXPECT_EQ(TokenRequests(), 1U) << "that of two";
  Receive(204);
  EXPECT_EQ(results_[hangs].status, 204);
}

TEST_F(AuthorizingTransportTest, ItIsRenewedBesideTheTrafficBeforeItEnds) {
  Post();
  Grant("t1", 3600);
  Receive(200);
  Advance(Millis(3'540'000 - 1));
  Post();
  EXPECT_EQ(TokenRequests(), 0U);
  Advance(Millis(1));
  Post();
  Post();
  EXPECT_EQ(TokenRequests(), 1U);
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1", "Bearer t1", "Bearer t1")) << "nothing waits";
  Grant("t2", 3600);
  Post();
  EXPECT_EQ(Authorizations().back(), "Bearer t2");
}

TEST_F(AuthorizingTransportTest, ARenewalThatFailsIsTriedAgainWhileTheOldOneLasts) {
  Post();
  Grant("t1", 3600);
  Advance(Millis(3'540'000));
  Post();
  Deny(503);
  Post();
  EXPECT_EQ(TokenRequests(), 0U) << "a moment ago it failed";
  Advance(kTokenRetry);
  Post();
  EXPECT_EQ(TokenRequests(), 1U);
  Advance(Millis(50'000));  // now it has ended
  const size_t late = Post();
  EXPECT_EQ(Authorizations().size(), 4U);
  Deny(503);
  EXPECT_EQ(results_[late].error, ErrorKind::kToken);
}

TEST_F(AuthorizingTransportTest, WithoutATokenNothingIsSentAndTheNextAsksAgain) {
  const size_t first = Post();
  const size_t second = Post();
  Advance(Millis(30));
  Deny(401);
  for (const size_t one : {first, second}) {
    EXPECT_EQ(results_[one].error, ErrorKind::kToken);
    EXPECT_EQ(results_[one].error_detail, "the token server answered 401 (invalid_client)");
    EXPECT_EQ(results_[one].status, 0);
    EXPECT_EQ(results_[one].us.total, 30'000);
  }
  EXPECT_THAT(held_->sent, IsEmpty());
  Post();
  EXPECT_EQ(TokenRequests(), 1U);
  Grant("t1");
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1"));
}

TEST_F(AuthorizingTransportTest, WhoIsToBlameForNoAnswerIsTold) {
  HttpResult result;
  result.error = ErrorKind::kTimeout;
  result.error_detail = "no complete response headers within the timeout";
  size_t one = Post();
  Answer(true, result);
  EXPECT_EQ(results_[one].error, ErrorKind::kToken);
  EXPECT_EQ(results_[one].error_detail,
            "no answer of the token server: no complete response headers within the timeout");
  result.error = ErrorKind::kLocal;
  result.error_detail = std::string(300, 'x');
  one = Post();
  Answer(true, result);
  EXPECT_EQ(results_[one].error, ErrorKind::kLocal);
  EXPECT_EQ(results_[one].error_detail.size(), kMaxErrorDetail);
}

TEST_F(AuthorizingTransportTest, WhatTheTokenServerCameToIsTold) {
  for (const ErrorKind error :
       {ErrorKind::kConnect, ErrorKind::kName, ErrorKind::kTimeout, ErrorKind::kTls, ErrorKind::kNone}) {
    HttpResult result;
    result.error = error;
    result.status = error == ErrorKind::kNone ? 503 : 0;
    const size_t one = Post();
    Answer(true, result);
    EXPECT_EQ(results_[one].error, ErrorKind::kToken) << ToString(error);
    EXPECT_EQ(results_[one].token_error, error) << ToString(error);
  }
}

TEST_F(AuthorizingTransportTest, A401ToATokenThatWasTakenBeforeBringsANewOne) {
  Post();
  Grant("t1");
  Receive(500);  // that is no word about the token
  const size_t refused = Post();
  const size_t beside = Post();
  Receive(401);
  EXPECT_TRUE(results_[refused].token_refused);
  Post();
  EXPECT_EQ(TokenRequests(), 1U);
  Grant("t2");
  EXPECT_THAT(Authorizations(), ElementsAre("Bearer t1", "Bearer t2"));
  Receive(401);  // the other that went with the old one
  EXPECT_TRUE(results_[beside].token_refused);
  Post();
  EXPECT_EQ(TokenRequests(), 0U) << "the new one is not forgotten for it";
}

TEST_F(AuthorizingTransportTest, A401ToANewTokenIsTheReceiversAnswer) {
  const size_t one = Post();
  Grant("t1");
  Receive(401);
  EXPECT_EQ(results_[one].status, 401);
  EXPECT_FALSE(results_[one].token_refused) << "else it would be tried at once, for ever";
  Post();
  EXPECT_EQ(TokenRequests(), 1U) << "but the next has a new one all the same";
}

// One endpoint takes the token, and another one with the same credentials never does.
TEST_F(AuthorizingTransportTest, A401ToWhatWasSentWithANewTokenIsTheReceiversAnswer) {
  Post();
  const size_t other = Post();
  Grant("t1");
  Receive(200);
  Receive(401);
  EXPECT_FALSE(results_[other].token_refused) << "it went before anybody had taken the token";
}

TEST_F(AuthorizingTransportTest, A401ToATokenInUseBringsANewOneOnceInAWhile) {
  Post();
  Grant("t1");
  Receive(200);
  Post();
  Receive(401);
  Post();
  Grant("t2");
  Receive(200);
  const size_t again = Post();
  Receive(401);
  EXPECT_FALSE(results_[again].token_refused);
  Post();
  EXPECT_EQ(TokenRequests(), 0U) << "the others' token is not dropped for it";
  Receive(200);
  Advance(kTokenRetry);
  const size_t later = Post();
  Receive(401);
  EXPECT_TRUE(results_[later].token_refused);
}

TEST_F(AuthorizingTransportTest, ConnectionsThatFailSayNothingOfTheToken) {
  Post();
  Grant("t1");
  HttpResult result;
  result.error = ErrorKind::kConnect;
  result.error_detail = "connection refused";
  Answer(false, result);
  const size_t one = Post();
  Receive(401);
  EXPECT_FALSE(results_[one].token_refused);
}

TEST_F(AuthorizingTransportTest, TheLeastRecentlyUsedGoFirst) {
  for (size_t i = 0; i < kMaxCachedTokens; ++i) {
    Post(Concat("client-", i));
    Grant("t");
    Receive(200);
    Advance(Millis(1));
  }
  EXPECT_EQ(transport_->cached(), kMaxCachedTokens);
  Post("client-0");
  Receive(200);
  Advance(Millis(1));
  Post("another");
  EXPECT_EQ(transport_->cached(), kMaxCachedTokens);
  Grant("t");
  Receive(200);
  Post("client-0");
  EXPECT_EQ(TokenRequests(), 0U);
  Post("client-1");
  EXPECT_EQ(TokenRequests(), 1U) << "it went";
}

TEST_F(AuthorizingTransportTest, TheEndIsTheEndForThoseThatWait) {
  const size_t waits = Post("one");
  Post("two");
  Grant("t");  // of one
  transport_->CancelAll();
  for (const HttpResult& result : results_) {
    EXPECT_EQ(result.error, ErrorKind::kLocal);
    EXPECT_THAT(result.error_detail, HasSubstr("shutting down"));
    EXPECT_THAT(result.error_detail, Not(HasSubstr("sesame")));
  }
  EXPECT_EQ(results_[waits].status, 0);
  EXPECT_THAT(held_->sent, IsEmpty());
}

}  // namespace
}  // namespace hookd
