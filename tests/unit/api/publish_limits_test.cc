// What a token may publish: bytes per second, and the largest event.
#include <string>

#include <gmock/gmock.h>

#include "hookd/v1/token_service.grpc.pb.h"
#include "tests/unit/api/auth_fixture.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;

std::string JsonString(size_t size) {
  std::string text(size, 'x');
  text.front() = text.back() = '"';
  return text;
}

class PublishLimitsTest : public AuthTest {
 protected:
  static AuthOptions Configured() {
    AuthOptions auth = Required();
    auth.max_payload_bytes = 100;
    return auth;
  }
  PublishLimitsTest() : AuthTest(Configured()) {}

  std::string With(uint32_t bytes_per_second, uint32_t max_payload_bytes) {
    AccessToken token;
    token.role = TokenRole::kPublisher;
    token.bytes_per_second = bytes_per_second;
    token.max_payload_bytes = max_payload_bytes;
    return engine_->MakeToken(token, OldTokens::kKeep)->text;
  }
  static void Fill(v1::NewEvent& event, size_t size) {
    event.set_subscriber_id("acme");
    event.set_type("t");
    event.set_payload(JsonString(size));
  }
  grpc::Status Publish(const std::string& token, size_t size) {
    v1::PublishEventRequest request;
    Fill(*request.mutable_event(), size);
    v1::PublishEventResponse response;
    return stub_->PublishEvent(AuthTest::With(token).get(), request, &response);
  }

  const std::unique_ptr<v1::EventService::Stub> stub_ = v1::EventService::NewStub(channel_);
};

TEST_F(PublishLimitsTest, TheLargestEventIsTheTokensOrTheConfigurations) {
  const std::string plain = With(0, 0);
  EXPECT_TRUE(Publish(plain, 100).ok());
  const grpc::Status refused = Publish(plain, 101);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(),
            "payload: is 101 bytes, and this token may publish events of at most 100 (max_payload_bytes)");
  const std::string more = With(0, 200);
  EXPECT_TRUE(Publish(more, 200).ok());
  EXPECT_EQ(Publish(more, 201).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Publish(With(0, 10), 11).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);

  v1::PublishEventsRequest batch;
  Fill(*batch.add_events(), 50);
  Fill(*batch.add_events(), 101);
  Fill(*batch.add_events(), 100);
  v1::PublishEventsResponse response;
  ASSERT_TRUE(stub_->PublishEvents(AuthTest::With(plain).get(), batch, &response).ok());
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_THAT(response.results(1).message(), HasSubstr("max_payload_bytes"));
  EXPECT_EQ(response.results(2).code(), 0);
  EXPECT_NE(response.results(2).event_id(), "");
}

// Of so slow a token that the test's own time pays nothing off.
TEST_F(PublishLimitsTest, BytesPerSecondAreCountedOverAllKindsOfCalls) {
  const std::string slow = With(1, 0);
  EXPECT_TRUE(Publish(slow, 50).ok());  // a byte could go: the rest is paid off
  const grpc::Status refused = Publish(slow, 2);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("this token published more than 1 payload bytes per second (bytes_per_second): "
                        "publish again in "));
  v1::PublishEventsRequest batch;
  Fill(*batch.add_events(), 2);
  v1::PublishEventsResponse answer;
  EXPECT_EQ(stub_->PublishEvents(AuthTest::With(slow).get(), batch, &answer).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto context = AuthTest::With(slow);
  const auto stream = stub_->PublishStream(context.get());
  v1::PublishStreamRequest message;
  message.set_batch(7);
  Fill(*message.add_events(), 2);
  Fill(*message.add_events(), 2);
  ASSERT_TRUE(stream->Write(message));
  v1::PublishStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.batch(), 7u);
  ASSERT_EQ(response.results_size(), 2);
  for (const v1::PublishResult& result : response.results()) {
    EXPECT_EQ(result.code(), static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED));
    EXPECT_THAT(result.message(), HasSubstr("bytes_per_second"));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kBytes), 3u);
  EXPECT_EQ(telemetry_.rejected("resource_exhausted"), 4);
  EXPECT_TRUE(Publish(With(0, 0), 50).ok()) << "another token is another";
}

TEST_F(PublishLimitsTest, ATokenSaysItsLimits) {
  const std::string operator_ = Token(TokenRole::kOperator);
  v1::CreateTokenRequest create;
  create.mutable_token()->set_role(v1::TOKEN_ROLE_PUBLISHER);
  create.mutable_token()->set_bytes_per_second(7);
  create.mutable_token()->set_max_payload_bytes(8);
  v1::CreateTokenResponse made;
  const auto tokens = v1::TokenService::NewStub(channel_);
  ASSERT_TRUE(tokens->CreateToken(AuthTest::With(operator_).get(), create, &made).ok());
  v1::ListTokensResponse list;
  ASSERT_TRUE(tokens->ListTokens(AuthTest::With(operator_).get(), v1::ListTokensRequest(), &list).ok());
  int found = 0;
  for (const v1::Token& token : list.tokens()) {
    if (token.id() != made.token().id()) continue;
    ++found;
    EXPECT_EQ(token.bytes_per_second(), 7u);
    EXPECT_EQ(token.max_payload_bytes(), 8u);
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace hookd::testing
