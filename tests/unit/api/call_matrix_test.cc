// Every call of hookd.v1 with every role, and with what is somebody else's.
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "tests/unit/api/auth_fixture.h"

namespace hookd::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// Written once more, and differently from the table: by what a call's name says.
bool Reads(const std::string& method) {
  for (const char* verb : {"Get", "List", "Poll", "Watch"}) {
    if (method.rfind(verb, 0) == 0) return true;
  }
  return false;
}

bool May(TokenRole role, const std::string& call) {
  const std::string service = call.substr(0, call.find('/'));
  const std::string method = call.substr(call.find('/') + 1);
  static const std::set<std::string> not_a_subscribers = {"CaptureService/CreateBin",
                                                          "SubscriberService/CreateSubscriber",
                                                          "SubscriberService/UpdateSubscriber",
                                                          "SubscriberService/DeleteSubscriber",
                                                          "SubscriberService/PauseSubscriber",
                                                          "SubscriberService/ResumeSubscriber",
                                                          "SubscriberService/HoldChannel",
                                                          "SubscriberService/ReleaseChannel",
                                                          "JobService/PurgeEvent",
                                                          "JobService/PurgeSubscriber"};
  switch (role) {
    case TokenRole::kOperator:
      return true;
    case TokenRole::kPublisher:
      if (call == "OperationsService/GetEgressAddresses") return true;
      return service == "ProfileService" || method.rfind("Publish", 0) == 0;
    case TokenRole::kViewer:
      return Reads(method);
    case TokenRole::kSubscriber:
      if (call == "OperationsService/GetEgressAddresses") return true;
      return service != "AuditService" && service != "BackupService" && service != "OperationsService" &&
             service != "TokenService" && method.rfind("Publish", 0) != 0 &&
             !not_a_subscribers.contains(call);
  }
  return false;
}

std::unique_ptr<Message> NewRequest(const MethodDescriptor& method) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
}

void SetField(Message& request, std::string_view path, const std::string& text) {
  Message* message = &request;
  while (path.find('.') != std::string_view::npos) {
    const FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(std::string(path.substr(0, path.find('.'))));
    message = message->GetReflection()->MutableMessage(message, field);
    path.remove_prefix(path.find('.') + 1);
  }
  message->GetReflection()->SetString(message, message->GetDescriptor()->FindFieldByName(std::string(path)),
                                      text);
}

class CallMatrixTest : public AuthTest {
 protected:
  template <typename Take>
  void EachCall(const Take& take) {
    for (const ServiceDescriptor* service : PublicServices()) {
      for (int i = 0; i < service->method_count(); ++i) {
        const MethodDescriptor& method = *service->method(i);
        take(method, service->name() + "/" + method.name());
      }
    }
  }
};

TEST_F(CallMatrixTest, WithoutAValidTokenNothingGoes) {
  const std::string revoked = Token(TokenRole::kOperator);
  Revoke(revoked);
  int calls = 0;
  EachCall([&](const MethodDescriptor& method, const std::string& call) {
    EXPECT_EQ(Call(method, "", *NewRequest(method), false).error_code(), grpc::StatusCode::UNAUTHENTICATED)
        << call;
    const grpc::StatusCode code = Call(method, revoked, *NewRequest(method), false).error_code();
    EXPECT_TRUE(code == grpc::StatusCode::UNAUTHENTICATED || code == grpc::StatusCode::RESOURCE_EXHAUSTED)
        << call << ": " << code;
    ++calls;
  });
  EXPECT_EQ(calls, static_cast<int>(CallRules().size()));
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kMissing), CallRules().size());
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kInvalid) + telemetry_.auth_failures(AuthFailure::kSlowed),
            CallRules().size());
  EXPECT_GE(telemetry_.auth_failures(AuthFailure::kInvalid), kWrongTokensBurst);
}

TEST_F(CallMatrixTest, EveryRoleHasItsCallsAndNoOther) {
  for (const TokenRole role :
       {TokenRole::kOperator, TokenRole::kPublisher, TokenRole::kViewer, TokenRole::kSubscriber}) {
    const std::string token = Token(
        role, role == TokenRole::kSubscriber ? std::vector<std::string>{"acme"} : std::vector<std::string>());
    EachCall([&](const MethodDescriptor& method, const std::string& call) {
      const bool may = May(role, call);
      // A poll without anything named is refused, and does not wait.
      const bool lasts = may && call == "DeliveryService/WatchDeliveries";
      const grpc::Status status = Call(method, token, *NewRequest(method), lasts);
      const std::string what = std::string(ToString(role)) + " " + call + ": " + status.error_message();
      if (!may) {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << what;
        return;
      }
      EXPECT_NE(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << what;
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << what;
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << what;
    });
  }
}

TEST_F(CallMatrixTest, WhatIsAnothersDoesNotExist) {
  const Objects own = Make("acme");
  const Objects others = Make("beta");
  const Objects none = {{CallObject::kSubscriber, "nobody"},
                        {CallObject::kEndpoint, "ep_00000000000fffff"},
                        {CallObject::kDelivery, others.at(CallObject::kDelivery)},
                        {CallObject::kEvent, EventId::Make(1, 0, 0, 0).ToString()},
                        {CallObject::kJob, "job_00000000000fffff"},
                        {CallObject::kBin, NewBinId()}};
  const std::string token = Token(TokenRole::kSubscriber, {"acme"});
  int cases = 0;
  EachCall([&](const MethodDescriptor& method, const std::string& call) {
    if (!May(TokenRole::kSubscriber, call)) return;
    for (const CallField& field : RuleOf(call).fields) {
      const std::unique_ptr<Message> foreign = NewRequest(method);
      SetField(*foreign, field.path, others.at(field.object));
      const grpc::Status refused = Call(method, token, *foreign, false);
      EXPECT_EQ(refused.error_code(), grpc::StatusCode::NOT_FOUND) << call << ": " << refused.error_message();
      const std::unique_ptr<Message> missing = NewRequest(method);
      SetField(*missing, field.path, none.at(field.object));
      const grpc::Status absent = Call(method, token, *missing, false);
      EXPECT_EQ(absent.error_code(), grpc::StatusCode::NOT_FOUND) << call;
      EXPECT_EQ(absent.error_message(), refused.error_message()) << call;
      // Beside its own, too.
      for (const CallField& second : RuleOf(call).fields) {
        if (second.path == field.path) continue;
        SetField(*foreign, second.path, own.at(second.object));
        EXPECT_EQ(Call(method, token, *foreign, false).error_code(), grpc::StatusCode::NOT_FOUND) << call;
      }
      ++cases;
    }
  });
  EXPECT_GE(cases, 40);
}

TEST_F(CallMatrixTest, ItsOwnItMayRead) {
  const Objects own = Make("acme");
  const std::string token = Token(TokenRole::kSubscriber, {"beta", "acme"});
  EachCall([&](const MethodDescriptor& method, const std::string& call) {
    if (!May(TokenRole::kSubscriber, call) || !Reads(method.name())) return;
    for (const CallField& field : RuleOf(call).fields) {
      const std::unique_ptr<Message> request = NewRequest(method);
      SetField(*request, field.path, own.at(field.object));
      const bool lasts = method.server_streaming();
      const grpc::Status status = Call(method, token, *request, lasts);
      const bool none_yet = call == "CaptureService/GetCaptured";  // number 0
      EXPECT_TRUE(status.ok() || lasts || none_yet) << call << ": " << status.error_message();
    }
  });
}

}  // namespace
}  // namespace hookd::testing
