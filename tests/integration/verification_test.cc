// Proofs of ownership over real sockets.
#include "dispatcher/tools/verification.h"

#include <absl/strings/escaping.h>
#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>

#include "dispatcher/core/signature.h"
#include "dispatcher/transport/curl_transport.h"
#include "tests/fakes/http_receiver.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Method = VerificationMethod;

class VerificationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }

  VerificationResult Ask(Method method, const std::string& path = "/in?key=hush") {
    order_.endpoint.url = receiver_.Url(path);
    order_.method = method;
    VerificationResult result;
    absl::Notification done;
    EXPECT_TRUE(hookd::Verify(runner_, RealClock(), order_, [&](VerificationResult r) {
                  result = std::move(r);
                  done.Notify();
                }).ok());
    done.WaitForNotification();
    return result;
  }
  void Answer(std::function<ReceiverAnswer(const ReceivedRequest&)> handler) {
    receiver_.SetHandler(std::move(handler));
  }
  static std::string Parameter(const std::string& target, const std::string& name) {
    if (target.find(name + "=") == std::string::npos) return "";
    const size_t begin = target.find(name + "=") + name.size() + 1;
    return target.substr(begin, target.find('&', begin) - begin);
  }

  VerificationTest() {
    order_.endpoint.subscriber_id = "acme";
    order_.endpoint.signing_keys = {{std::string(32, 'k')}};
    order_.endpoint.headers = {{"X-Key", "hush", true}};
    order_.origin = "hookd.example";
    order_.user_agent = "hookd/test";
  }

  HttpReceiver receiver_;
  OneShotRunner runner_{[](boost::asio::io_context& io) {
    CurlTransportOptions options;
    options.multis = options.http2_multis = 1;
    EgressOptions egress;
    egress.allow_loopback = true;
    options.egress = std::make_shared<const EgressPolicy>(egress);
    return MakeCurlTransport(io, options, RealClock());
  }};
  VerificationOrder order_;
};

TEST_F(VerificationTest, HubChallenge) {
  order_.verify_token = "meet&me";
  Answer([](const ReceivedRequest& got) {
    return ReceiverAnswer::Status(200, Parameter(got.target, "hub.challenge"));
  });
  EXPECT_TRUE(Ask(Method::kHubChallenge).proof.proven);
  const ReceivedRequest got = receiver_.requests().at(0);
  EXPECT_EQ(got.method, "GET");
  EXPECT_THAT(got.target, MatchesRegex("/in\\?key=hush&hub.mode=subscribe&hub.challenge=[0-9a-f]{64}"
                                       "&hub.verify_token=meet%26me"));
  EXPECT_EQ(got.Header("x-key"), "hush");
  EXPECT_EQ(got.body, "");

  Answer([](const ReceivedRequest& request) {
    return ReceiverAnswer::Status(200, Parameter(request.target, "hub.challenge") + "\n");
  });
  const VerificationResult wrong = Ask(Method::kHubChallenge);
  EXPECT_FALSE(wrong.proof.proven);
  EXPECT_THAT(wrong.proof.received, HasSubstr("status 200, and the body"));
  EXPECT_EQ(wrong.exchange.attempt.status, 200);
  EXPECT_THAT(wrong.exchange.attempt.request_headers, ::testing::Not(HasSubstr("hush")));
  EXPECT_NE(Parameter(receiver_.requests().at(1).target, "hub.challenge"),
            Parameter(got.target, "hub.challenge"));
}

TEST_F(VerificationTest, HmacChallenge) {
  const std::string key = order_.endpoint.signing_keys[0].key;
  const auto token = [](const ReceivedRequest& got) {
    const size_t begin = got.body.find("\"crc_token\":\"") + 13;
    return got.body.substr(begin, got.body.find('"', begin) - begin);
  };
  Answer([&](const ReceivedRequest& got) {
    return ReceiverAnswer::Status(
        200, "{\"response_token\": \"sha256=" + absl::Base64Escape(HmacSha256(key, token(got))) + "\"}");
  });
  EXPECT_TRUE(Ask(Method::kHmacChallenge).proof.proven);
  const ReceivedRequest got = receiver_.requests().at(0);
  EXPECT_EQ(got.method, "POST");
  EXPECT_EQ(got.target, "/in?key=hush");
  EXPECT_THAT(got.Header("webhook-id"), MatchesRegex("verify_[0-9a-f]{32}"));
  EXPECT_EQ(got.Header("hookd-event-type"), "endpoint.verification");
  EXPECT_EQ(got.Header("webhook-signature"),
            SignV1({key}, got.Header("webhook-id"), std::stoll(got.Header("webhook-timestamp")), got.body));

  Answer([&](const ReceivedRequest& request) {
    return ReceiverAnswer::Status(
        200,
        "{\"response_token\": \"" + absl::Base64Escape(HmacSha256("another key", token(request))) + "\"}");
  });
  const VerificationResult wrong = Ask(Method::kHmacChallenge);
  EXPECT_FALSE(wrong.proof.proven);
  EXPECT_THAT(wrong.proof.received, HasSubstr("of another key or text"));
}

TEST_F(VerificationTest, CloudEvents) {
  Answer([](const ReceivedRequest&) {
    ReceiverAnswer answer = ReceiverAnswer::Status(200);
    answer.headers = {{"WebHook-Allowed-Origin", "hookd.example"}, {"WebHook-Allowed-Rate", "120"}};
    return answer;
  });
  const VerificationResult result = Ask(Method::kCloudEvents);
  EXPECT_TRUE(result.proof.proven) << result.proof.received;
  EXPECT_EQ(result.proof.allowed_per_second, 2u);
  const ReceivedRequest got = receiver_.requests().at(0);
  EXPECT_EQ(got.method, "OPTIONS");
  EXPECT_EQ(got.target, "/in?key=hush");
  EXPECT_EQ(got.Header("webhook-request-origin"), "hookd.example");
  EXPECT_EQ(got.Header("webhook-request-rate"), "300");

  Answer([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  EXPECT_EQ(Ask(Method::kCloudEvents).proof.received, "status 200, without WebHook-Allowed-Origin");
}

TEST_F(VerificationTest, RedirectsAreNotFollowed) {
  Answer([](const ReceivedRequest& got) {
    ReceiverAnswer answer = ReceiverAnswer::Status(got.target.starts_with("/there") ? 200 : 302,
                                                   Parameter(got.target, "hub.challenge"));
    answer.headers = {{"Location", "/there"}, {"WebHook-Allowed-Origin", "*"}};
    return answer;
  });
  for (Method method : {Method::kHubChallenge, Method::kHmacChallenge, Method::kCloudEvents}) {
    const VerificationResult result = Ask(method);
    EXPECT_FALSE(result.proof.proven);
    EXPECT_THAT(result.proof.received, HasSubstr("status 302"));
    EXPECT_EQ(result.exchange.diagnosis.kind, DiagnosisKind::kRedirect);
  }
  EXPECT_EQ(receiver_.request_count(), 3u);
}

TEST_F(VerificationTest, NoAnswerIsNoProof) {
  order_.endpoint.policy.timeout = Millis(100);
  Answer([](const ReceivedRequest&) { return ReceiverAnswer::Raw("", ReceiverAnswer::Then::kHang); });
  for (Method method : {Method::kHubChallenge, Method::kHmacChallenge, Method::kCloudEvents}) {
    const VerificationResult result = Ask(method);
    EXPECT_FALSE(result.proof.proven);
    EXPECT_EQ(result.proof.expected, "an answer");
    EXPECT_THAT(result.proof.received, HasSubstr("not complete within 100 ms"));
  }
}

}  // namespace
}  // namespace hookd::testing
