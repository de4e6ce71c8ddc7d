#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/token_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

class TokenServiceTest : public testing::ApiTest {
 protected:
  grpc::Status Create(const v1::CreateTokenRequest& request, v1::CreateTokenResponse* made) {
    grpc::ClientContext context;
    return tokens_->CreateToken(&context, request, made);
  }
  static v1::CreateTokenRequest ForAcme() {
    v1::CreateTokenRequest request;
    request.mutable_token()->set_role(v1::TOKEN_ROLE_SUBSCRIBER);
    request.mutable_token()->add_subscriber_ids("acme");
    request.mutable_token()->set_description("for the shop");
    return request;
  }
  v1::ListTokensResponse List(const v1::ListTokensRequest& request) {
    grpc::ClientContext context;
    v1::ListTokensResponse response;
    const grpc::Status status = tokens_->ListTokens(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  const std::unique_ptr<v1::TokenService::Stub> tokens_ = v1::TokenService::NewStub(channel_);
};

TEST_F(TokenServiceTest, TheTextIsShownOnce) {
  v1::CreateTokenResponse made;
  ASSERT_TRUE(Create(ForAcme(), &made).ok());
  EXPECT_THAT(made.text(), MatchesRegex("hkt_[0-9a-f]{16}_[0-9a-f]{64}"));
  EXPECT_THAT(made.token().id(), MatchesRegex("tok_[0-9a-f]{16}"));
  EXPECT_TRUE(made.token().has_create_time());
  EXPECT_FALSE(made.token().has_expire_time());
  const std::string listed = List({}).DebugString();
  EXPECT_THAT(listed, HasSubstr("for the shop"));
  EXPECT_THAT(listed, Not(HasSubstr(made.text().substr(21))));
}

TEST_F(TokenServiceTest, ListsGoPageByPage) {
  for (int i = 0; i < 5; ++i) {
    v1::CreateTokenResponse made;
    ASSERT_TRUE(Create(ForAcme(), &made).ok());
  }
  v1::ListTokensRequest request;
  request.set_subscriber_id("acme");
  request.set_page_size(2);
  std::vector<std::string> ids;
  do {
    const v1::ListTokensResponse page = List(request);
    for (const v1::Token& token : page.tokens()) ids.push_back(token.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(ids, SizeIs(5));
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(TokenServiceTest, BadInputNamesItsField) {
  v1::CreateTokenResponse made;
  v1::CreateTokenRequest request;
  EXPECT_THAT(Create(request, &made).error_message(), HasSubstr("token: is missing"));
  request.mutable_token();
  EXPECT_THAT(Create(request, &made).error_message(), HasSubstr("token.role"));
  request = ForAcme();
  request.mutable_token()->mutable_expire_time()->set_seconds(0);
  EXPECT_THAT(Create(request, &made).error_message(), HasSubstr("expire_time: is over"));
  request = ForAcme();
  request.mutable_token()->add_subscriber_ids("nobody");
  EXPECT_EQ(Create(request, &made).error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  v1::RevokeTokenRequest revoke;
  revoke.set_id(made.text());
  google::protobuf::Empty nothing;
  EXPECT_EQ(tokens_->RevokeToken(&context, revoke, &nothing).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(List({}).tokens(), SizeIs(0));
}

TEST_F(TokenServiceTest, WhatIsRevokedIsGone) {
  v1::CreateTokenResponse made;
  ASSERT_TRUE(Create(ForAcme(), &made).ok());
  v1::RevokeTokenRequest revoke;
  revoke.set_id(made.token().id());
  google::protobuf::Empty nothing;
  {
    grpc::ClientContext context;
    EXPECT_TRUE(tokens_->RevokeToken(&context, revoke, &nothing).ok());
  }
  grpc::ClientContext context;
  EXPECT_EQ(tokens_->RevokeToken(&context, revoke, &nothing).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(List({}).tokens(), SizeIs(0));
}

// The small profile has one key at a time, and a new one clears the endpoints.
class OneKeyTest : public TokenServiceTest {
 protected:
  OneKeyTest() {
    Subscriber customer;
    customer.id = "customer";
    customer.profile = "small";
    EXPECT_TRUE(engine_->CreateSubscriber(customer).ok());
    v1::CreateEndpointRequest request;
    request.mutable_endpoint()->set_subscriber_id("customer");
    request.mutable_endpoint()->set_url("https://a.example/h");
    grpc::ClientContext context;
    v1::CreateEndpointResponse response;
    EXPECT_TRUE(endpoints_->CreateEndpoint(&context, request, &response).ok());
    endpoint_ = response.endpoint();
  }
  std::string NewKey(const std::vector<std::string>& subscribers) {
    v1::CreateTokenRequest request = ForAcme();
    request.mutable_token()->clear_subscriber_ids();
    for (const std::string& id : subscribers) request.mutable_token()->add_subscriber_ids(id);
    v1::CreateTokenResponse made;
    const grpc::Status status = Create(request, &made);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return made.text();
  }
  v1::Endpoint Read() {
    v1::GetEndpointRequest request;
    request.set_id(endpoint_.id());
    grpc::ClientContext context;
    v1::Endpoint read;
    EXPECT_TRUE(endpoints_->GetEndpoint(&context, request, &read).ok());
    return read;
  }
  bool Valid(const std::string& text) { return engine_->Authenticate(text).ok(); }

  v1::Endpoint endpoint_;
  const std::unique_ptr<v1::EndpointService::Stub> endpoints_ = v1::EndpointService::NewStub(channel_);
};

TEST_F(OneKeyTest, ANewKeyEndsTheOldOneAndTakesTheUrl) {
  const std::string old = NewKey({"customer"});
  {
    grpc::ClientContext context;
    v1::UpdateEndpointRequest request;
    request.mutable_endpoint()->set_id(endpoint_.id());
    request.mutable_endpoint()->set_url("https://b.example/h");
    request.mutable_update_mask()->add_paths("url");
    v1::Endpoint updated;
    ASSERT_TRUE(endpoints_->UpdateEndpoint(&context, request, &updated).ok());
    EXPECT_EQ(updated.disabled().reason(), v1::DISABLE_REASON_UNSPECIFIED);
  }
  EXPECT_TRUE(Valid(old));
  const std::string fresh = NewKey({"customer"});
  EXPECT_FALSE(Valid(old));
  EXPECT_TRUE(Valid(fresh));
  EXPECT_EQ(Read().url(), "");
  EXPECT_EQ(Read().disabled().reason(), v1::DISABLE_REASON_URL_CLEARED);
}

TEST_F(OneKeyTest, APartnersKeyStaysForTheOthers) {
  const std::string partner = NewKey({"acme", "customer"});
  const std::string own = NewKey({"acme"});
  const std::string fresh = NewKey({"customer"});
  EXPECT_TRUE(Valid(own));
  EXPECT_TRUE(Valid(fresh));
  ASSERT_TRUE(Valid(partner));
  EXPECT_THAT(engine_->Authenticate(partner)->subscriber_ids, ::testing::ElementsAre("acme"));
}

}  // namespace
}  // namespace hookd
