// What a token sees: lists are narrowed to its own, and a call that lasts ends with it.
#include <string>

#include <gmock/gmock.h>

#include "dispatcher/api/http_port.h"
#include "tests/unit/api/auth_fixture.h"
#include "tests/unit/api/http_client.h"

namespace hookd::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class CallGuardTest : public AuthTest {};

template <typename List>
std::vector<std::string> Ids(const List& list) {
  std::vector<std::string> ids;
  for (const auto& one : list) ids.push_back(one.id());
  return ids;
}

TEST_F(CallGuardTest, ListsAreNarrowedToTheTokensOwn) {
  const Objects own = Make("acme");
  Make("beta");
  const std::string token = Token(TokenRole::kSubscriber, {"acme"});
  v1::ListSubscribersResponse subscribers;
  Check(v1::SubscriberService::NewStub(channel_)->ListSubscribers(With(token).get(), {}, &subscribers));
  EXPECT_THAT(Ids(subscribers.subscribers()), ElementsAre("acme"));
  v1::ListEndpointsResponse endpoints;
  Check(v1::EndpointService::NewStub(channel_)->ListEndpoints(With(token).get(), {}, &endpoints));
  EXPECT_THAT(Ids(endpoints.endpoints()), ElementsAre(own.at(CallObject::kEndpoint)));
  v1::ListDeliveriesResponse deliveries;
  Check(v1::DeliveryService::NewStub(channel_)->ListDeliveries(With(token).get(), {}, &deliveries));
  EXPECT_THAT(Ids(deliveries.deliveries()), ElementsAre(own.at(CallObject::kDelivery)));
  v1::ListJobsResponse jobs;
  Check(v1::JobService::NewStub(channel_)->ListJobs(With(token).get(), {}, &jobs));
  EXPECT_THAT(Ids(jobs.jobs()), ElementsAre(own.at(CallObject::kJob)));
  v1::ListJobsResponse all;
  Check(v1::JobService::NewStub(channel_)->ListJobs(With(Token(TokenRole::kViewer)).get(), {}, &all));
  EXPECT_THAT(all.jobs(), SizeIs(2));
}

TEST_F(CallGuardTest, WhoIsBoundToSeveralSaysWhich) {
  Make("acme");
  const std::string token = Token(TokenRole::kSubscriber, {"acme", "beta"});
  v1::ListEndpointsRequest request;
  v1::ListEndpointsResponse endpoints;
  const auto stub = v1::EndpointService::NewStub(channel_);
  const grpc::Status vague = stub->ListEndpoints(With(token).get(), request, &endpoints);
  EXPECT_EQ(vague.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(vague.error_message(), HasSubstr("subscriber_id: is empty, and the token is bound to 2"));
  request.set_subscriber_id("acme");
  Check(stub->ListEndpoints(With(token).get(), request, &endpoints));
  EXPECT_THAT(endpoints.endpoints(), SizeIs(1));
  v1::ListSubscribersRequest page;
  page.set_page_size(1);
  v1::ListSubscribersResponse first;
  const auto subscribers = v1::SubscriberService::NewStub(channel_);
  Check(subscribers->ListSubscribers(With(token).get(), page, &first));
  EXPECT_THAT(Ids(first.subscribers()), ElementsAre("acme"));
  page.set_page_token(first.next_page_token());
  v1::ListSubscribersResponse second;
  Check(subscribers->ListSubscribers(With(token).get(), page, &second));
  EXPECT_THAT(Ids(second.subscribers()), ElementsAre("beta"));
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(CallGuardTest, AnEmptyIdIsRefusedByName) {
  const std::string token = Token(TokenRole::kSubscriber, {"acme"});
  v1::Endpoint endpoint;
  const auto stub = v1::EndpointService::NewStub(channel_);
  EXPECT_EQ(stub->GetEndpoint(With(token).get(), {}, &endpoint).error_message(),
            "id: is empty: say which endpoint");
  v1::GetEndpointRequest request;
  request.set_id("ep_x");
  const grpc::Status bad = stub->GetEndpoint(With(token).get(), request, &endpoint);
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(bad.error_message(), HasSubstr("id: "));
}

TEST_F(CallGuardTest, QueriesOfUrlsAreNotForViewers) {
  const Objects own = Make("acme");
  v1::GetEndpointRequest request;
  request.set_id(own.at(CallObject::kEndpoint));
  request.set_with_url_query(true);
  v1::Endpoint endpoint;
  const auto stub = v1::EndpointService::NewStub(channel_);
  const grpc::Status refused = stub->GetEndpoint(With(Token(TokenRole::kViewer)).get(), request, &endpoint);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(refused.error_message(), HasSubstr("with_url_query: is not for role viewer"));
  Check(stub->GetEndpoint(With(Token(TokenRole::kSubscriber, {"acme"})).get(), request, &endpoint));
}

TEST_F(CallGuardTest, ADenialSaysWhichRolesHaveTheCall) {
  v1::Subscriber made;
  v1::CreateSubscriberRequest request;
  const grpc::Status denied = v1::SubscriberService::NewStub(channel_)->CreateSubscriber(
      With(Token(TokenRole::kPublisher)).get(), request, &made);
  EXPECT_EQ(denied.error_message(),
            "SubscriberService/CreateSubscriber is not for role publisher: use a token of role operator");
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kRole), 1u);
}

TEST_F(CallGuardTest, AStreamEndsAtItsNextMessageAfterItsTokenWasRevoked) {
  const std::string token = Token(TokenRole::kPublisher);
  const auto context = With(token);
  const auto stream = v1::EventService::NewStub(channel_)->PublishStream(context.get());
  v1::PublishStreamRequest message;
  v1::NewEvent& event = *message.add_events();
  event.set_subscriber_id("acme");
  event.set_type("t");
  event.set_payload("{}");
  v1::PublishStreamResponse answer;
  ASSERT_TRUE(stream->Write(message));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.results(0).code(), 0);
  Revoke(Token(TokenRole::kViewer));  // another one's end changes nothing
  ASSERT_TRUE(stream->Write(message));
  ASSERT_TRUE(stream->Read(&answer));
  Revoke(token);
  stream->Write(message);
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(CallGuardTest, AWatchEndsAfterItsTokenWasRevoked) {
  const Objects own = Make("acme");
  const std::string token = Token(TokenRole::kSubscriber, {"acme"});
  const auto context = With(token);
  const auto stream = v1::DeliveryService::NewStub(channel_)->WatchDeliveries(context.get(), {});
  stream->WaitForInitialMetadata();
  Make("beta");  // not shown
  Revoke(token);
  v1::WatchDeliveriesResponse answer;
  while (stream->Read(&answer)) EXPECT_THAT(answer.changes(), SizeIs(0));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(CallGuardTest, TheGatewayPassesTheTokenOnAndSaysWhereItComesFrom) {
  HttpPortOptions options;
  options.listen = "127.0.0.1:0";
  options.metrics = [] { return std::string(); };
  options.ready = [] { return absl::OkStatus(); };
  options.gateway = &gateway_;
  const std::unique_ptr<HttpPort> port = HttpPort::Start(std::move(options)).value();
  const auto call = [&port](const std::string& headers) {
    HttpClient client(port->address());
    client.Send(HttpClient::Post("/hookd.v1.OperationsService/GetStatus", "{}", "application/json", headers));
    return client.Read();
  };
  EXPECT_EQ(call("").result_int(), 401u);
  EXPECT_EQ(call("Authorization: Bearer " + Token(TokenRole::kViewer) + "\r\n").result_int(), 200u);
  EXPECT_EQ(call("Authorization: Bearer " + Token(TokenRole::kPublisher) + "\r\n").result_int(), 403u);
  // Who has to have a token may call by any name.
  HttpClient named(port->address());
  named.Send(
      "POST /hookd.v1.OperationsService/GetStatus HTTP/1.1\r\nHost: hookd.example\r\nContent-Type: "
      "application/json\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(named.Read().result_int(), 401u);
  // Wrong ones are counted by the client's address, over both ports together.
  for (uint32_t i = 0; i < kWrongTokensBurst + 3; ++i) {
    call("Authorization: Bearer nonsense\r\nhookd-remote-address: 10.0.0." + std::to_string(i) + "\r\n");
  }
  EXPECT_GE(telemetry_.auth_failures(AuthFailure::kSlowed), 1u);
  EXPECT_GE(telemetry_.auth_failures(AuthFailure::kInvalid), kWrongTokensBurst);
}

}  // namespace
}  // namespace hookd::testing
