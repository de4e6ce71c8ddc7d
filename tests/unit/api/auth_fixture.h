// The API with authentication on, a token of every role, and what belongs to two subscribers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/generic/generic_stub.h>

#include "dispatcher/api/call_rules.h"
#include "hookd/v1/capture_service.grpc.pb.h"
#include "hookd/v1/delivery_service.grpc.pb.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "hookd/v1/job_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd::testing {

inline const ToolRules& AnyTools() {
  static const ToolRules rules;
  return rules;
}

inline AuthOptions Required() {
  AuthOptions auth;
  auth.required = true;
  return auth;
}

class AuthTest : public ApiTest {
 protected:
  // Ids of each kind.
  using Objects = std::map<CallObject, std::string>;

  explicit AuthTest(const AuthOptions& auth = Required()) : ApiTest(&AnyTools(), SmallProfiles(), auth) {
    Subscriber other;
    other.id = "beta";
    EXPECT_TRUE(engine_->CreateSubscriber(other).ok());
  }

  std::string Token(TokenRole role, std::vector<std::string> subscribers = {}) {
    AccessToken token;
    token.role = role;
    token.subscriber_ids = std::move(subscribers);
    const absl::StatusOr<MadeToken> made = engine_->MakeToken(std::move(token), OldTokens::kKeep);
    EXPECT_TRUE(made.ok()) << made.status();
    ids_[made->text] = made->token.id;
    return made->text;
  }
  void Revoke(const std::string& text) { EXPECT_TRUE(engine_->RevokeToken(ids_[text]).ok()); }

  static std::unique_ptr<grpc::ClientContext> With(const std::string& token) {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return context;
  }

  // Made as an operator.
  Objects Make(const std::string& subscriber) {
    const std::string token = Token(TokenRole::kOperator);
    Objects made{{CallObject::kSubscriber, subscriber}};
    v1::CreateEndpointRequest create;
    create.mutable_endpoint()->set_subscriber_id(subscriber);
    create.mutable_endpoint()->set_url("http://203.0.113.1/" + subscriber);
    v1::CreateEndpointResponse created;
    Check(v1::EndpointService::NewStub(channel_)->CreateEndpoint(With(token).get(), create, &created));
    const std::string endpoint = made[CallObject::kEndpoint] = created.endpoint().id();
    v1::StartCaptureRequest capture;
    capture.set_endpoint_id(endpoint);
    v1::StartCaptureResponse capturing;
    Check(v1::CaptureService::NewStub(channel_)->StartCapture(With(token).get(), capture, &capturing));
    made[CallObject::kBin] = capturing.bin().id();
    v1::PublishEventRequest publish;
    publish.mutable_event()->set_subscriber_id(subscriber);
    publish.mutable_event()->set_type("t");
    publish.mutable_event()->set_payload("{}");
    v1::PublishEventResponse published;
    Check(v1::EventService::NewStub(channel_)->PublishEvent(With(token).get(), publish, &published));
    made[CallObject::kEvent] = published.event_id();
    v1::GetEventRequest get;
    get.set_id(published.event_id());
    v1::Event event;
    Check(v1::EventService::NewStub(channel_)->GetEvent(With(token).get(), get, &event));
    EXPECT_EQ(event.delivery_ids_size(), 1);
    made[CallObject::kDelivery] = event.delivery_ids(0);
    v1::ReplayEventsRequest replay;
    replay.set_endpoint_id(endpoint);
    replay.mutable_accept_time_from()->set_seconds(4'000'000'000);
    v1::Job job;
    Check(v1::JobService::NewStub(channel_)->ReplayEvents(With(token).get(), replay, &job));
    made[CallObject::kJob] = job.id();
    return made;
  }

  // Any call, by its descriptor, with one message. `stream`: what lasts is ended as soon as it has begun, and
  // has CANCELLED.
  grpc::Status Call(const google::protobuf::MethodDescriptor& method, const std::string& token,
                    const google::protobuf::Message& request, bool lasts) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const std::unique_ptr<grpc::ClientContext> context = With(token);
    const auto call =
        stub.PrepareCall(context.get(), "/" + method.service()->full_name() + "/" + method.name(), &queue);
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      EXPECT_TRUE(queue.Next(&tag, &ok));
      return ok;
    };
    call->StartCall(nullptr);
    wait();
    const std::string bytes = request.SerializeAsString();
    const grpc::Slice slice(bytes);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    wait();
    call->ReadInitialMetadata(nullptr);
    wait();
    if (lasts) context->TryCancel();
    grpc::ByteBuffer answer;
    for (bool more = true; more;) {
      call->Read(&answer, nullptr);
      more = wait();
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    return status;
  }

  static void Check(const grpc::Status& status) { EXPECT_TRUE(status.ok()) << status.error_message(); }

  std::map<std::string, uint64_t> ids_;
};

}  // namespace hookd::testing
