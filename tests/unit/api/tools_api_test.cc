// ToolService and CaptureService over gRPC, with receivers that are functions; their real requests are tested
// in tests/integration and tests/e2e.
#include <gmock/gmock.h>

#include "hookd/v1/capture_service.grpc.pb.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/tool_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// What a profile would say.
class Rules final : public ToolRules {
 public:
  absl::Status MaySimulate(const std::string& /*profile*/, const Subscriber& subscriber) const override {
    if (subscriber.plan != "free") return absl::OkStatus();
    return absl::FailedPreconditionError("tests need one of the plans: paid");
  }
  absl::Status MayCapture(const std::string& /*profile*/, const Subscriber& subscriber) const override {
    if (subscriber.plan != "free") return absl::OkStatus();
    return absl::FailedPreconditionError("captures need one of the plans: paid");
  }
  absl::StatusOr<Sample> FindSample(const std::string& /*profile*/, const std::string& type,
                                    const std::string& name) const override {
    if (type != "ack") return ToolRules::FindSample("", type, name);
    return Sample{name.empty() ? "sent" : name, "{\"ack\": \"" + (name.empty() ? "sent" : name) + "\"}"};
  }
  VerificationMethod Ownership(const std::string& profile) const override {
    return profile == "hub" ? VerificationMethod::kHubChallenge : VerificationMethod::kNone;
  }
};

class ToolsApiTest : public ApiTest {
 protected:
  ToolsApiTest() : ApiTest(&rules_) {
    endpoints_ = v1::EndpointService::NewStub(channel_);
    tools_stub_ = v1::ToolService::NewStub(channel_);
    captures_ = v1::CaptureService::NewStub(channel_);
  }

  void SetPlan(const std::string& plan) {
    ASSERT_TRUE(engine_
                    ->UpdateSubscriber("acme",
                                       [&](Subscriber& subscriber) {
                                         subscriber.plan = plan;
                                         return absl::OkStatus();
                                       })
                    .ok());
  }
  std::string Create(bool require_verification = false) {
    v1::CreateEndpointRequest request;
    request.mutable_endpoint()->set_subscriber_id("acme");
    request.mutable_endpoint()->set_url("http://127.0.0.1:1/in");
    request.set_require_verification(require_verification);
    v1::CreateEndpointResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(endpoints_->CreateEndpoint(&context, request, &response).ok());
    return response.endpoint().id();
  }
  v1::Endpoint Get(const std::string& id) {
    v1::GetEndpointRequest request;
    request.set_id(id);
    v1::Endpoint endpoint;
    grpc::ClientContext context;
    EXPECT_TRUE(endpoints_->GetEndpoint(&context, request, &endpoint).ok());
    return endpoint;
  }
  grpc::Status Test(const v1::TestEndpointRequest& request, v1::TestEndpointResponse* response) {
    grpc::ClientContext context;
    return tools_stub_->TestEndpoint(&context, request, response);
  }

  const Rules rules_;
  std::unique_ptr<v1::EndpointService::Stub> endpoints_;
  std::unique_ptr<v1::ToolService::Stub> tools_stub_;
  std::unique_ptr<v1::CaptureService::Stub> captures_;
};

TEST_F(ToolsApiTest, SamplesOfTheCatalogueByName) {
  v1::TestEndpointRequest request;
  request.set_endpoint_id(Create());
  request.add_samples()->set_event_type("ack");
  v1::TestSample& viewed = *request.add_samples();
  viewed.set_event_type("ack");
  viewed.set_sample("viewed");
  v1::TestEndpointResponse response;
  const grpc::Status status = Test(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(response.results(), SizeIs(2));
  EXPECT_EQ(response.results(0).sample(), "sent");
  EXPECT_EQ(response.results(1).payload(), "{\"ack\": \"viewed\"}");
  EXPECT_EQ(response.results(1).diagnosis().kind(), v1::DIAGNOSIS_KIND_SUCCESS);
  EXPECT_EQ(response.results(1).attempt().status(), 200);
  ASSERT_THAT(receiver_.requests(), SizeIs(2));
  EXPECT_EQ(receiver_.requests()[1].body, "{\"ack\": \"viewed\"}");
}

TEST_F(ToolsApiTest, PlansGateTestsAndCaptures) {
  const std::string id = Create();
  SetPlan("free");
  v1::TestEndpointRequest request;
  request.set_endpoint_id(id);
  request.add_samples()->set_event_type("ack");
  v1::TestEndpointResponse response;
  const grpc::Status test = Test(request, &response);
  EXPECT_EQ(test.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(test.error_message(), "tests need one of the plans: paid");
  v1::StartCaptureRequest capture;
  capture.set_endpoint_id(id);
  v1::StartCaptureResponse started;
  grpc::ClientContext context;
  EXPECT_EQ(captures_->StartCapture(&context, capture, &started).error_message(),
            "captures need one of the plans: paid");
  EXPECT_FALSE(Get(id).has_capture());
  SetPlan("paid");
  EXPECT_TRUE(Test(request, &response).ok());
}

TEST_F(ToolsApiTest, TestsNeedOneEndpointAndKnownSamples) {
  v1::TestEndpointResponse response;
  v1::TestEndpointRequest request;
  EXPECT_THAT(Test(request, &response).error_message(), HasSubstr("endpoint_id: give either it or endpoint"));
  request.set_endpoint_id(Create());
  EXPECT_THAT(Test(request, &response).error_message(), HasSubstr("samples: there are 0"));
  v1::TestSample& sample = *request.add_samples();
  sample.set_event_type("ack");
  sample.set_sample("sent");
  sample.set_payload("{}");
  EXPECT_THAT(Test(request, &response).error_message(),
              HasSubstr("samples[0]: give either a sample's name or"));
  sample.clear_sample();
  request.mutable_endpoint()->set_subscriber_id("acme");
  EXPECT_THAT(Test(request, &response).error_message(), HasSubstr("endpoint_id: give either it or endpoint"));
  request.clear_endpoint_id();
  EXPECT_THAT(Test(request, &response).error_message(), HasSubstr("url: "));
  request.mutable_endpoint()->set_url("http://127.0.0.1:1/");
  EXPECT_TRUE(Test(request, &response).ok());
  EXPECT_THAT(receiver_.requests(), SizeIs(1));
}

TEST_F(ToolsApiTest, ATestThatNobodyWaitsForAnyMoreIsInNobodysWay) {
  receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  v1::TestEndpointRequest request;
  request.set_endpoint_id(Create());
  for (int i = 0; i < 3; ++i) request.add_samples()->set_event_type("ack");
  v1::TestEndpointResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(tools_stub_->TestEndpoint(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(receiver_.WaitForCount(1));
  receiver_.ReleaseAll(200);
  request.clear_samples();
  request.add_samples()->set_payload("1");
  request.mutable_samples(0)->set_event_type("last");
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  EXPECT_TRUE(Test(request, &response).ok());
  for (const SentRequest& sent : receiver_.requests()) EXPECT_NE(sent.Header("hookd-sequence"), "1.1");
}

TEST_F(ToolsApiTest, AnUnprovenEndpointStaysDisabled) {
  const std::string id = Create(true);
  EXPECT_EQ(Get(id).disabled().reason(), v1::DISABLE_REASON_UNVERIFIED);
  EXPECT_TRUE(Get(id).disabled().has_time());
  v1::VerifyEndpointRequest request;
  request.set_id(id);
  request.set_method(v1::VERIFICATION_METHOD_HUB_CHALLENGE);
  v1::VerifyEndpointResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(tools_stub_->VerifyEndpoint(&context, request, &response).ok());
  }
  EXPECT_FALSE(response.verified());
  EXPECT_THAT(response.expected(), HasSubstr("nothing else"));
  EXPECT_EQ(response.received(), "status 200, and the body \"\"");
  EXPECT_EQ(response.endpoint().disabled().reason(), v1::DISABLE_REASON_UNVERIFIED);
  request.set_verify_token("a b");
  grpc::ClientContext context;
  EXPECT_THAT(tools_stub_->VerifyEndpoint(&context, request, &response).error_message(),
              HasSubstr("verify_token: is not visible ASCII"));
}

TEST_F(ToolsApiTest, WithoutAUrlThereIsNothingToTestOrToVerify) {
  const std::string id = Create(true);
  AccessToken token;
  token.subscriber_ids = {"acme"};
  ASSERT_TRUE(engine_->MakeToken(token, OldTokens::kRevokeAndClear).ok());
  EXPECT_EQ(Get(id).disabled().reason(), v1::DISABLE_REASON_UNVERIFIED);
  const std::string expected = "endpoint " + id + " has no URL since its API key was changed: set one";
  v1::VerifyEndpointRequest request;
  request.set_id(id);
  v1::VerifyEndpointResponse response;
  grpc::ClientContext context;
  const grpc::Status refused = tools_stub_->VerifyEndpoint(&context, request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error_message(), expected);
  v1::TestEndpointRequest test;
  test.set_endpoint_id(id);
  test.add_samples()->set_payload("1");
  test.mutable_samples(0)->set_event_type("t");
  v1::TestEndpointResponse tested;
  EXPECT_EQ(Test(test, &tested).error_message(), expected);
  EXPECT_EQ(receiver_.requests().size(), 0u);
}

TEST_F(ToolsApiTest, AnUpdateMayAskForAProof) {
  const std::string id = Create();
  v1::UpdateEndpointRequest request;
  request.mutable_endpoint()->set_id(id);
  request.mutable_endpoint()->set_url("http://127.0.0.1:1/in");
  request.mutable_update_mask()->add_paths("url");
  request.set_require_verification(true);
  v1::Endpoint endpoint;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(endpoints_->UpdateEndpoint(&context, request, &endpoint).ok());
  }
  EXPECT_FALSE(endpoint.has_disabled()) << "it is the same URL";
  request.mutable_endpoint()->set_url("http://127.0.0.1:1/other");
  grpc::ClientContext context;
  ASSERT_TRUE(endpoints_->UpdateEndpoint(&context, request, &endpoint).ok());
  EXPECT_EQ(endpoint.disabled().reason(), v1::DISABLE_REASON_UNVERIFIED);
}

TEST_F(ToolsApiTest, BinsAndTheirRanges) {
  v1::CreateBinRequest request;
  v1::Bin bin;
  request.mutable_lifetime()->set_seconds(59);
  {
    grpc::ClientContext context;
    EXPECT_EQ(captures_->CreateBin(&context, request, &bin).error_message(),
              "lifetime: is 59000 ms, use 60 s to 1440 min");
  }
  request.mutable_lifetime()->set_seconds(60);
  {
    grpc::ClientContext context;
    ASSERT_TRUE(captures_->CreateBin(&context, request, &bin).ok());
  }
  EXPECT_EQ(bin.url(), "https://hooks.example/bin/" + bin.id());
  EXPECT_EQ(bin.status(), 200);
  EXPECT_EQ(bin.expire_time().seconds() - bin.create_time().seconds(), 60);
  CapturedRequest captured;
  captured.method = "POST";
  captured.target = "/\xff";
  captured.headers = {{"X-Key", "hush\x01", false}};
  captured.body = "\xff body";
  EXPECT_EQ(bins_.Keep(bin.id(), captured), 200);
  v1::GetCapturedRequest get;
  get.set_id(bin.id());
  get.set_number(1);
  v1::CapturedRequest shown;
  grpc::ClientContext context;
  ASSERT_TRUE(captures_->GetCaptured(&context, get, &shown).ok());
  EXPECT_EQ(shown.target(), "/?");
  EXPECT_EQ(shown.headers(0).value(), "hush?");
  EXPECT_EQ(shown.body(), "\xff body");
}

TEST_F(ToolsApiTest, DeletingTheBinEndsItsCapture) {
  const std::string id = Create();
  v1::StartCaptureRequest request;
  request.set_endpoint_id(id);
  v1::StartCaptureResponse started;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(captures_->StartCapture(&context, request, &started).ok());
  }
  EXPECT_EQ(Get(id).capture().bin_id(), started.bin().id());
  v1::DeleteBinRequest remove;
  remove.set_id(started.bin().id());
  google::protobuf::Empty nothing;
  grpc::ClientContext context;
  ASSERT_TRUE(captures_->DeleteBin(&context, remove, &nothing).ok());
  EXPECT_FALSE(Get(id).has_capture());
}

}  // namespace
}  // namespace hookd::testing
