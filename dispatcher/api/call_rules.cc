#include "dispatcher/api/call_rules.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <google/protobuf/descriptor_database.h>

#include "base/check.h"
#include "base/concat.h"

namespace hookd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

const uint8_t kOperator = RoleBit(TokenRole::kOperator);
const uint8_t kPublisher = RoleBit(TokenRole::kPublisher) | kOperator;
const uint8_t kReader = RoleBit(TokenRole::kViewer) | kOperator;
const uint8_t kSubscriber = RoleBit(TokenRole::kSubscriber);
const uint8_t kAll = kPublisher | kReader | kSubscriber;

const WithoutOwner kFilledIn = WithoutOwner::kFilledIn;
const WithoutOwner kNarrowed = WithoutOwner::kNarrowed;
const WithoutOwner kAllowed = WithoutOwner::kAllowed;

constexpr CallField TheSubscriber(std::string_view path) { return {CallObject::kSubscriber, path}; }
constexpr CallField TheEndpoint(std::string_view path) { return {CallObject::kEndpoint, path}; }
constexpr CallField TheDelivery(std::string_view path) { return {CallObject::kDelivery, path}; }
constexpr CallField TheEvent(std::string_view path) { return {CallObject::kEvent, path}; }
constexpr CallField TheJob(std::string_view path) { return {CallObject::kJob, path}; }
constexpr CallField TheBin(std::string_view path) { return {CallObject::kBin, path}; }

// The text is that of a nested field's parts, which must be messages but for the last.
const FieldDescriptor* FindField(const Descriptor& request, std::string_view path) {
  const Descriptor* type = &request;
  const FieldDescriptor* field = nullptr;
  for (const absl::string_view part : absl::StrSplit(absl::string_view(path.data(), path.size()), '.')) {
    if (type == nullptr) return nullptr;
    field = type->FindFieldByName(std::string(part));
    if (field == nullptr || field->is_repeated()) return nullptr;
    type = field->message_type();
  }
  return field;
}

absl::Status CheckRule(const CallRule& rule, const MethodDescriptor& method) {
  for (const CallField& field : rule.fields) {
    const FieldDescriptor* found = FindField(*method.input_type(), field.path);
    if (found == nullptr || found->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      return absl::InternalError(
          Concat("call_rules.cc: ", rule.call, ": its request has no text field ", field.path));
    }
  }
  if (!rule.not_for_viewers.empty()) {
    const FieldDescriptor* found = FindField(*method.input_type(), rule.not_for_viewers);
    if (found == nullptr || found->cpp_type() != FieldDescriptor::CPPTYPE_BOOL) {
      return absl::InternalError(
          Concat("call_rules.cc: ", rule.call, ": its request has no flag ", rule.not_for_viewers));
    }
  }
  const bool fills = std::any_of(rule.fields.begin(), rule.fields.end(), [](const CallField& field) {
    return field.object == CallObject::kSubscriber;
  });
  if (rule.without == WithoutOwner::kFilledIn && !fills) {
    return absl::InternalError(Concat("call_rules.cc: ", rule.call, ": nothing can be filled in"));
  }
  if ((rule.roles & kSubscriber) != 0 && rule.fields.empty() && rule.without == WithoutOwner::kRefused) {
    return absl::InternalError(Concat("call_rules.cc: ", rule.call, ": say what has to be the subscriber's"));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<CallRule>& CallRules() {
  static const auto& rules = *new std::vector<CallRule>{
      {"AuditService/GetAuditRecord", kReader, {}},
      {"AuditService/ListAuditRecords", kReader, {}},

      {"BackupService/CreateBackup", kOperator, {}},
      {"BackupService/GetBackupRun", kReader, {}},
      {"BackupService/ListBackups", kReader, {}},
      {"BackupService/VerifyBackup", kOperator, {}},

      {"CaptureService/CreateBin", kOperator, {}},
      {"CaptureService/DeleteBin", kOperator | kSubscriber, {TheBin("id")}},
      {"CaptureService/GetBin", kReader | kSubscriber, {TheBin("id")}},
      {"CaptureService/GetCaptured", kReader | kSubscriber, {TheBin("id")}},
      {"CaptureService/ListCaptured", kReader | kSubscriber, {TheBin("id")}},
      {"CaptureService/StartCapture", kOperator | kSubscriber, {TheEndpoint("endpoint_id")}},
      {"CaptureService/StopCapture", kOperator | kSubscriber, {TheEndpoint("endpoint_id")}},
      {"CaptureService/WatchCaptured", kReader | kSubscriber, {TheBin("id")}},

      {"DeliveryService/CancelDelivery", kOperator | kSubscriber, {TheDelivery("id")}},
      {"DeliveryService/GetDelivery", kReader | kSubscriber, {TheDelivery("id")}},
      {"DeliveryService/ListDeliveries",
       kReader | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("subscriber_id")},
       kFilledIn},
      {"DeliveryService/RetryDelivery", kOperator | kSubscriber, {TheDelivery("id")}},
      {"DeliveryService/WatchDeliveries",
       kReader | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("subscriber_id")},
       kFilledIn},

      {"EndpointService/ChangeEndpoints",
       kOperator | kSubscriber,
       {TheSubscriber("subscriber_id")},
       kFilledIn},
      {"EndpointService/CreateEndpoint", kOperator | kSubscriber, {TheSubscriber("endpoint.subscriber_id")}},
      {"EndpointService/DeleteEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/DisableEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/EnableEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/GetEndpoint",
       kReader | kSubscriber,
       {TheEndpoint("id")},
       WithoutOwner::kRefused,
       "with_url_query"},
      {"EndpointService/GetEndpointStatistics", kReader | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/ListEndpoints",
       kReader | kSubscriber,
       {TheSubscriber("subscriber_id")},
       kFilledIn,
       "with_url_query"},
      {"EndpointService/ListTopEndpoints",
       kReader | kSubscriber,
       {TheSubscriber("subscriber_id")},
       kFilledIn},
      {"EndpointService/PauseEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/ResumeEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/RotateSecret", kOperator | kSubscriber, {TheEndpoint("id")}},
      {"EndpointService/UpdateEndpoint", kOperator | kSubscriber, {TheEndpoint("endpoint.id")}},

      {"EventService/GetEvent", kReader | kSubscriber, {TheEvent("id")}},
      {"EventService/PollEvents",
       kReader | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("subscriber_id")},
       kFilledIn},
      {"EventService/PublishEvent", kPublisher, {}},
      {"EventService/PublishEvents", kPublisher, {}},
      {"EventService/PublishStream", kPublisher, {}},

      {"JobService/CancelJob", kOperator | kSubscriber, {TheJob("id")}},
      {"JobService/ExpireBacklog",
       kOperator | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("subscriber_id")},
       kFilledIn},
      {"JobService/GetJob", kReader | kSubscriber, {TheJob("id")}},
      {"JobService/ListJobs", kReader | kSubscriber, {}, kNarrowed},
      {"JobService/PurgeEvent", kOperator, {}},
      {"JobService/PurgeSubscriber", kOperator, {}},
      {"JobService/RecoverDeliveries",
       kOperator | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("subscriber_id")},
       kFilledIn},
      {"JobService/ReplayEvents", kOperator | kSubscriber, {TheEndpoint("endpoint_id")}},

      {"OperationsService/ConfirmClock", kOperator, {}},
      {"OperationsService/GetEgressAddresses", kAll, {}, kAllowed},
      {"OperationsService/GetStatus", kReader, {}},
      {"OperationsService/PauseDeliveries", kOperator, {}},
      {"OperationsService/RekeySecrets", kOperator, {}},
      {"OperationsService/ResumeDeliveries", kOperator, {}},

      {"ProfileService/GetEventType", kAll, {}, kAllowed},
      {"ProfileService/GetProfile", kAll, {}, kAllowed},
      {"ProfileService/ListEventTypes", kAll, {}, kAllowed},
      {"ProfileService/ListProfiles", kAll, {}, kAllowed},

      {"SubscriberService/CreateSubscriber", kOperator, {}},
      {"SubscriberService/DeleteSubscriber", kOperator, {}},
      {"SubscriberService/GetSubscriber", kReader | kSubscriber, {TheSubscriber("id")}},
      {"SubscriberService/GetSubscriberStatistics", kReader | kSubscriber, {TheSubscriber("id")}},
      {"SubscriberService/HoldChannel", kOperator, {}},
      {"SubscriberService/ListSubscribers", kReader | kSubscriber, {}, kNarrowed},
      {"SubscriberService/PauseSubscriber", kOperator, {}},
      {"SubscriberService/ReleaseChannel", kOperator, {}},
      {"SubscriberService/ResumeSubscriber", kOperator, {}},
      {"SubscriberService/UpdateSubscriber", kOperator, {}},

      {"TokenService/CreateToken", kOperator, {}},
      {"TokenService/ListTokens", kReader, {}},
      {"TokenService/RevokeToken", kOperator, {}},

      {"ToolService/TestEndpoint",
       kOperator | kSubscriber,
       {TheEndpoint("endpoint_id"), TheSubscriber("endpoint.subscriber_id")}},
      {"ToolService/VerifyEndpoint", kOperator | kSubscriber, {TheEndpoint("id")}},
  };
  return rules;
}

const CallRule& RuleOf(std::string_view call) {
  const std::vector<CallRule>& rules = CallRules();
  const auto found =
      std::find_if(rules.begin(), rules.end(), [call](const CallRule& rule) { return rule.call == call; });
  HOOKD_CHECK(found != rules.end(), "a call without a rule: add it to dispatcher/api/call_rules.cc");
  return *found;
}

std::vector<const ServiceDescriptor*> PublicServices() {
  std::vector<std::string> files;
  DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::vector<const ServiceDescriptor*> services;
  for (const std::string& name : files) {
    const google::protobuf::FileDescriptor* file = DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr || file->package() != "hookd.v1") continue;
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return services;
}

absl::Status CheckCallRules(const std::vector<const ServiceDescriptor*>& services,
                            const std::vector<CallRule>& rules) {
  std::set<std::string, std::less<>> known;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor& method = *service->method(i);
      const std::string call = absl::StrCat(service->name(), "/", method.name());
      known.insert(call);
      const auto has = [&call](const CallRule& rule) { return rule.call == call; };
      const auto rule = std::find_if(rules.begin(), rules.end(), has);
      if (rule == rules.end() || std::any_of(rule + 1, rules.end(), has)) {
        return absl::InternalError(Concat("call_rules.cc: ", call, " needs one rule: who may call it?"));
      }
      if (absl::Status bad = CheckRule(*rule, method); !bad.ok()) return bad;
    }
  }
  for (const CallRule& rule : rules) {
    if (!known.contains(rule.call)) {
      return absl::InternalError(Concat("call_rules.cc: there is no call ", rule.call));
    }
  }
  return absl::OkStatus();
}

}  // namespace hookd
