#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hookd/v1/delivery_service.grpc.pb.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/operations_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AdminServicesTest : public testing::ApiTest {
 protected:
  v1::CreateEndpointResponse CreateEndpoint(v1::Endpoint endpoint) {
    endpoint.set_subscriber_id("acme");
    if (endpoint.url().empty()) endpoint.set_url("http://127.0.0.1:1/hook");
    grpc::ClientContext context;
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() = endpoint;
    v1::CreateEndpointResponse response;
    const grpc::Status status = endpoints_->CreateEndpoint(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  grpc::Status Update(const v1::Endpoint& endpoint, const std::vector<std::string>& paths,
                      v1::Endpoint* updated) {
    grpc::ClientContext context;
    v1::UpdateEndpointRequest request;
    *request.mutable_endpoint() = endpoint;
    for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
    return endpoints_->UpdateEndpoint(&context, request, updated);
  }

  v1::Endpoint Get(const std::string& id) {
    grpc::ClientContext context;
    v1::GetEndpointRequest request;
    request.set_id(id);
    v1::Endpoint endpoint;
    EXPECT_TRUE(endpoints_->GetEndpoint(&context, request, &endpoint).ok());
    return endpoint;
  }

  const std::unique_ptr<v1::SubscriberService::Stub> subscribers_ = v1::SubscriberService::NewStub(channel_);
  const std::unique_ptr<v1::EndpointService::Stub> endpoints_ = v1::EndpointService::NewStub(channel_);
  const std::unique_ptr<v1::DeliveryService::Stub> deliveries_ = v1::DeliveryService::NewStub(channel_);
  const std::unique_ptr<v1::OperationsService::Stub> operations_ = v1::OperationsService::NewStub(channel_);
};

TEST_F(AdminServicesTest, SecretsAreShownOnceAndNeverRead) {
  v1::Endpoint endpoint;
  endpoint.set_signing_secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
  v1::Header& header = *endpoint.add_headers();
  header.set_name("X-Key");
  header.set_value("open-sesame");
  header.set_secret(true);
  const v1::CreateEndpointResponse created = CreateEndpoint(endpoint);
  EXPECT_EQ(created.signing_secret(), endpoint.signing_secret());
  const std::string id = created.endpoint().id();
  grpc::ClientContext context;
  v1::ListEndpointsResponse list;
  ASSERT_TRUE(endpoints_->ListEndpoints(&context, {}, &list).ok());
  for (const std::string& text :
       {created.endpoint().DebugString(), Get(id).DebugString(), list.DebugString()}) {
    EXPECT_THAT(text, HasSubstr("X-Key"));
    EXPECT_THAT(text, Not(HasSubstr("open-sesame")));
    EXPECT_THAT(text, Not(HasSubstr("MDEy")));
    EXPECT_THAT(text, Not(HasSubstr("0123456789")));
  }
}

TEST_F(AdminServicesTest, MakesASigningSecretWhenNoneIsGiven) {
  const std::string first = CreateEndpoint({}).signing_secret();
  EXPECT_EQ(first.substr(0, 6), "whsec_");
  EXPECT_NE(first, CreateEndpoint({}).signing_secret());
}

TEST_F(AdminServicesTest, ARotationKeepsTheOldSecretsForItsOverlap) {
  const std::string id = CreateEndpoint({}).endpoint().id();
  const auto rotate = [&](const std::function<void(v1::RotateSecretRequest&)>& set) {
    grpc::ClientContext context;
    v1::RotateSecretRequest request;
    request.set_id(id);
    set(request);
    v1::RotateSecretResponse response;
    const grpc::Status status = endpoints_->RotateSecret(&context, request, &response);
    return std::pair(status, response);
  };
  auto [status, response] = rotate([](v1::RotateSecretRequest&) {});
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.signing_secret().substr(0, 6), "whsec_");
  EXPECT_EQ(response.public_key(), "");
  ASSERT_EQ(response.endpoint().signing_keys_size(), 2);
  const v1::SigningKey old = response.endpoint().signing_keys(1);
  EXPECT_FALSE(response.endpoint().signing_keys(0).has_expire_time());
  EXPECT_EQ(old.expire_time().seconds() - response.endpoint().update_time().seconds(), 24 * 3600);
  EXPECT_THAT(Get(id).DebugString(), Not(HasSubstr(response.signing_secret().substr(6, 20))));

  std::tie(status, response) =
      rotate([](v1::RotateSecretRequest& r) { r.set_scheme(v1::SIGNING_SCHEME_V1A); });
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(response.signing_secret(), "");
  EXPECT_EQ(response.public_key(), response.endpoint().signing_keys(0).public_key());
  EXPECT_EQ(response.public_key().substr(0, 5), "whpk_");
  EXPECT_EQ(response.endpoint().signing_keys_size(), 3);

  std::tie(status, response) = rotate([](v1::RotateSecretRequest& r) {
    r.mutable_overlap();
    r.set_secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
  });
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(response.signing_secret(), "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
  ASSERT_EQ(response.endpoint().signing_keys_size(), 2) << "at once";
  EXPECT_EQ(response.endpoint().signing_keys(1).scheme(), v1::SIGNING_SCHEME_V1A);

  const std::pair<std::function<void(v1::RotateSecretRequest&)>, std::string> bad[] = {
      {[](v1::RotateSecretRequest& r) { r.mutable_overlap()->set_seconds(-1); }, "overlap: use 0 to 30 days"},
      {[](v1::RotateSecretRequest& r) { r.mutable_overlap()->set_seconds(30 * 86'400 + 1); }, "overlap: "},
      {[](v1::RotateSecretRequest& r) { r.set_scheme(static_cast<v1::SigningScheme>(9)); }, "scheme: "},
      {[](v1::RotateSecretRequest& r) { r.set_secret("whsec_c2hvcnQ="); }, "secret: holds a key of 5 bytes"},
      {[](v1::RotateSecretRequest& r) {
         r.set_scheme(v1::SIGNING_SCHEME_V1A);
         r.set_secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
       },
       "secret: is not \"whsk_\""},
      {[](v1::RotateSecretRequest& r) { r.set_id("nobody"); }, "id: "},
  };
  for (const auto& [set, why] : bad) {
    std::tie(status, response) = rotate(set);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message().substr(0, why.size()), why);
  }
  EXPECT_EQ(rotate([](v1::RotateSecretRequest& r) { r.set_id("ep_0000000000000001"); }).first.error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(rotate([](v1::RotateSecretRequest& r) {
              r.set_secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
            }).first.error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  while (Get(id).signing_keys_size() < 10) ASSERT_TRUE(rotate([](v1::RotateSecretRequest&) {}).first.ok());
  EXPECT_EQ(rotate([](v1::RotateSecretRequest&) {}).first.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(rotate([](v1::RotateSecretRequest& r) { r.mutable_overlap(); }).first.ok());
  EXPECT_EQ(Get(id).signing_keys_size(), 2);

  v1::Endpoint endpoint = Get(id);
  endpoint.set_signing_secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
  v1::Endpoint updated;
  ASSERT_TRUE(Update(endpoint, {"signing_secret"}, &updated).ok());
  ASSERT_EQ(updated.signing_keys_size(), 1) << "an update replaces all of them";
  EXPECT_TRUE(updated.signing_keys(0).has_create_time());
}

TEST_F(AdminServicesTest, UpdateIsAllOrNothing) {
  v1::Endpoint endpoint = CreateEndpoint({}).endpoint();
  endpoint.set_description("changed");
  endpoint.set_url("ftp://127.0.0.1/");
  v1::Endpoint updated;
  EXPECT_EQ(Update(endpoint, {"description", "url"}, &updated).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Update(endpoint, {"description", "paused"}, &updated).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Update(endpoint, {}, &updated).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Get(endpoint.id()).description(), "");
  EXPECT_TRUE(Update(endpoint, {"description"}, &updated).ok());
  EXPECT_EQ(Get(endpoint.id()).description(), "changed");
}

TEST_F(AdminServicesTest, PauseAndResumeAreIdempotent) {
  const std::string id = CreateEndpoint({}).endpoint().id();
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::PauseEndpointRequest request;
    request.set_id(id);
    v1::Endpoint endpoint;
    ASSERT_TRUE(endpoints_->PauseEndpoint(&context, request, &endpoint).ok());
    EXPECT_TRUE(endpoint.paused());
  }
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::ResumeEndpointRequest request;
    request.set_id(id);
    v1::Endpoint endpoint;
    ASSERT_TRUE(endpoints_->ResumeEndpoint(&context, request, &endpoint).ok());
    EXPECT_FALSE(endpoint.paused());
  }
}

TEST_F(AdminServicesTest, HugeMaskIsRefused) {
  v1::Endpoint endpoint = CreateEndpoint({}).endpoint();
  endpoint.set_description("changed");
  v1::Endpoint updated;
  const grpc::Status status = Update(endpoint, std::vector<std::string>(300'000, "description"), &updated);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("update_mask: names 300000 paths"));
}

TEST_F(AdminServicesTest, StatesKeepTheReasonOfThePerson) {
  const std::string id = CreateEndpoint({}).endpoint().id();
  const auto change = [this, &id](auto request, auto method, const std::string& reason) {
    grpc::ClientContext context;
    request.set_id(id);
    request.set_reason(reason);
    v1::Endpoint endpoint;
    const grpc::Status status = (endpoints_.get()->*method)(&context, request, &endpoint);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(endpoint.state_note(), reason);
    return endpoint;
  };
  using Stub = v1::EndpointService::Stub;
  v1::Endpoint endpoint = change(v1::DisableEndpointRequest(), &Stub::DisableEndpoint, "moved");
  EXPECT_EQ(endpoint.disabled().reason(), v1::DISABLE_REASON_PERSON);
  EXPECT_GT(endpoint.disabled().time().seconds(), 0);
  endpoint = change(v1::PauseEndpointRequest(), &Stub::PauseEndpoint, "repair");
  EXPECT_TRUE(endpoint.paused());
  EXPECT_TRUE(endpoint.has_disabled()) << "a pause is independent of it";
  endpoint = change(v1::ResumeEndpointRequest(), &Stub::ResumeEndpoint, "repaired");
  EXPECT_FALSE(endpoint.paused());
  EXPECT_TRUE(endpoint.has_disabled()) << "resume does not enable";
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(change(v1::EnableEndpointRequest(), &Stub::EnableEndpoint, "").has_disabled());
  }
}

TEST_F(AdminServicesTest, ReasonsAreShort) {
  const std::string id = CreateEndpoint({}).endpoint().id();
  grpc::ClientContext context;
  v1::PauseEndpointRequest request;
  request.set_id(id);
  request.set_reason(std::string(kMaxStateNote + 1, 'x'));
  v1::Endpoint endpoint;
  grpc::Status status = endpoints_->PauseEndpoint(&context, request, &endpoint);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("reason: "));
  EXPECT_FALSE(Get(id).paused());
  grpc::ClientContext other;
  v1::PauseDeliveriesRequest all;
  all.set_reason("a\nb");
  v1::ServerStatus server;
  status = operations_->PauseDeliveries(&other, all, &server);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("reason: "));
}

TEST_F(AdminServicesTest, EverythingIsPausedAndResumed) {
  v1::PauseDeliveriesRequest pause;
  pause.set_reason("network work");
  v1::ServerStatus status;
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    const grpc::Status paused = operations_->PauseDeliveries(&context, pause, &status);
    ASSERT_TRUE(paused.ok()) << paused.error_message();
    EXPECT_TRUE(status.paused());
    EXPECT_EQ(status.pause_reason(), "network work");
  }
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_TRUE(operations_->ResumeDeliveries(&context, {}, &status).ok());
    EXPECT_FALSE(status.paused());
    EXPECT_EQ(status.pause_reason(), "");
  }
}

TEST_F(AdminServicesTest, ClockCanAlwaysBeConfirmed) {
  grpc::ClientContext context;
  v1::ServerStatus status;
  const grpc::Status confirmed = operations_->ConfirmClock(&context, {}, &status);
  ASSERT_TRUE(confirmed.ok()) << confirmed.error_message();
  EXPECT_FALSE(status.clock_suspect());
}

TEST_F(AdminServicesTest, ListsAreReadPageByPage) {
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) made.push_back(CreateEndpoint({}).endpoint().id());
  std::vector<std::string> read;
  v1::ListEndpointsRequest request;
  request.set_subscriber_id("acme");
  request.set_page_size(2);
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::ListEndpointsResponse page;
    ASSERT_TRUE(endpoints_->ListEndpoints(&context, request, &page).ok());
    EXPECT_LE(page.endpoints_size(), 2);
    for (const v1::Endpoint& endpoint : page.endpoints()) read.push_back(endpoint.id());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(read, made);
  EXPECT_EQ(pages, 3);
}

// Their order is not that of the ids.
TEST_F(AdminServicesTest, SubscribersAreListedOnceEachOverAllPages) {
  std::vector<std::string> made = {"acme"};  // the fixture's
  for (int i = 0; i < 25; ++i) {
    made.push_back("s" + std::to_string(i));
    grpc::ClientContext context;
    v1::CreateSubscriberRequest request;
    request.mutable_subscriber()->set_id(made.back());
    v1::Subscriber subscriber;
    ASSERT_TRUE(subscribers_->CreateSubscriber(&context, request, &subscriber).ok());
  }
  std::vector<std::string> read;
  v1::ListSubscribersRequest request;
  request.set_page_size(4);
  do {
    grpc::ClientContext context;
    v1::ListSubscribersResponse page;
    ASSERT_TRUE(subscribers_->ListSubscribers(&context, request, &page).ok());
    for (const v1::Subscriber& subscriber : page.subscribers()) read.push_back(subscriber.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(read, ::testing::UnorderedElementsAreArray(made));
}

TEST_F(AdminServicesTest, PageTokenOfAnotherQueryIsRefused) {
  CreateEndpoint({});
  CreateEndpoint({});
  v1::ListEndpointsRequest request;
  request.set_page_size(1);
  v1::ListEndpointsResponse page;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(endpoints_->ListEndpoints(&context, request, &page).ok());
    ASSERT_NE(page.next_page_token(), "");
  }
  request.set_subscriber_id("acme");
  request.set_page_token(page.next_page_token());
  grpc::ClientContext context;
  const grpc::Status status = endpoints_->ListEndpoints(&context, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("page_token"));
}

TEST_F(AdminServicesTest, SubscriberWithEndpointsCannotBeDeleted) {
  CreateEndpoint({});
  grpc::ClientContext context;
  v1::DeleteSubscriberRequest request;
  request.set_id("acme");
  google::protobuf::Empty nothing;
  EXPECT_EQ(subscribers_->DeleteSubscriber(&context, request, &nothing).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(AdminServicesTest, ErrorsNameTheField) {
  const auto message = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  {
    grpc::ClientContext context;
    v1::Endpoint endpoint;
    v1::GetEndpointRequest request;
    request.set_id("nonsense");
    EXPECT_THAT(message(endpoints_->GetEndpoint(&context, request, &endpoint)), HasSubstr("id: "));
  }
  {
    grpc::ClientContext context;
    v1::Delivery delivery;
    EXPECT_THAT(message(deliveries_->GetDelivery(&context, {}, &delivery)), HasSubstr("id: "));
  }
  {
    grpc::ClientContext context;
    v1::ListDeliveriesResponse page;
    EXPECT_THAT(message(deliveries_->ListDeliveries(&context, {}, &page)), HasSubstr("endpoint_id: "));
  }
  {
    grpc::ClientContext context;
    v1::ListSubscribersRequest request;
    request.set_page_size(-1);
    v1::ListSubscribersResponse page;
    EXPECT_THAT(message(subscribers_->ListSubscribers(&context, request, &page)), HasSubstr("page_size: "));
  }
}

TEST_F(AdminServicesTest, StatusCountsWhatIsThere) {
  CreateEndpoint({});
  grpc::ClientContext context;
  v1::ServerStatus status;
  ASSERT_TRUE(operations_->GetStatus(&context, {}, &status).ok());
  EXPECT_EQ(status.subscribers(), 1u);
  EXPECT_EQ(status.endpoints(), 1u);
  EXPECT_FALSE(status.draining());
}

TEST_F(AdminServicesTest, PortInUseIsSaid) {
  ApiServerOptions options;
  options.listen = server_->address();
  const auto second = ApiServer::Start(options, *engine_, telemetry_, RealClock());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hookd
