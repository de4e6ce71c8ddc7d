#include "dispatcher/api/call_guard.h"

#include <string_view>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/api/gateway.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/tools/toolbox.h"

namespace hookd {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The message that holds the last field of the path, and that field. CheckCallRules has seen that it is
// there. Null: a message on the way is not set.
const Message* Holder(const Message& request, std::string_view path, const FieldDescriptor*& field) {
  const Message* message = &request;
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(path.data(), path.size()), '.');
  for (size_t i = 0; i < parts.size(); ++i) {
    field = message->GetDescriptor()->FindFieldByName(parts[i]);
    HOOKD_CHECK(field != nullptr, "CheckCallRules has passed");
    if (i + 1 == parts.size()) break;
    if (!message->GetReflection()->HasField(*message, field)) return nullptr;
    message = &message->GetReflection()->GetMessage(*message, field);
  }
  return message;
}

std::string TextAt(const Message& request, std::string_view path) {
  const FieldDescriptor* field = nullptr;
  const Message* holder = Holder(request, path, field);
  return holder == nullptr ? "" : holder->GetReflection()->GetString(*holder, field);
}

bool FlagAt(const Message& request, std::string_view path) {
  const FieldDescriptor* field = nullptr;
  const Message* holder = Holder(request, path, field);
  return holder != nullptr && holder->GetReflection()->GetBool(*holder, field);
}

// Of the top level: that is where what is filled in stands.
void SetText(Message& request, std::string_view name, const std::string& text) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName(std::string(name));
  request.GetReflection()->SetString(&request, field, text);
}

std::string Metadata(const grpc::ServerContextBase& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  return found == context.client_metadata().end() ? ""
                                                  : std::string(found->second.data(), found->second.size());
}

// Without the port: "ipv4:127.0.0.1:5000", "ipv6:[::1]:5000" (or %5B, %5D), "inproc".
std::string RemoteAddress(const grpc::ServerContextBase& context) {
  const std::string peer = absl::StrReplaceAll(context.peer(), {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
  if (absl::StartsWith(peer, "inproc")) return Metadata(context, kRemoteAddressKey);
  const size_t begin = peer.find(':') + 1;
  std::string host = peer.substr(begin, peer.rfind(':') - begin);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

std::string Names(uint8_t roles) {
  std::vector<std::string> names;
  for (const TokenRole role :
       {TokenRole::kOperator, TokenRole::kPublisher, TokenRole::kViewer, TokenRole::kSubscriber}) {
    if ((roles & RoleBit(role)) != 0) names.emplace_back(ToString(role));
  }
  return absl::StrJoin(names, ", ");
}

std::string_view NameOf(CallObject object) {
  switch (object) {
    case CallObject::kSubscriber:
      return "subscriber";
    case CallObject::kEndpoint:
      return "endpoint";
    case CallObject::kDelivery:
      return "delivery";
    case CallObject::kEvent:
      return "event";
    case CallObject::kJob:
      return "job";
    case CallObject::kBin:
      return "bin";
  }
  return "object";
}

}  // namespace

CallGuard::CallGuard(const AuthOptions& options, Engine& engine, Toolbox* tools, Telemetry& telemetry,
                     const Clock& clock)
    : engine_(engine),
      tools_(tools),
      telemetry_(telemetry),
      authenticator_(options, engine, telemetry, clock) {}

absl::StatusOr<Caller> CallGuard::Admit(const CallRule& rule, const grpc::ServerContextBase& context) {
  if (!authenticator_.required()) return Caller();
  ASSIGN_OR_RETURN(Caller caller,
                   authenticator_.Authenticate(Metadata(context, "authorization"), RemoteAddress(context)));
  if ((rule.roles & RoleBit(caller.token->role)) != 0) return caller;
  telemetry_.AuthFailed(AuthFailure::kRole);
  return absl::PermissionDeniedError(Concat(rule.call, " is not for role ", ToString(caller.token->role),
                                            ": use a token of role ", Names(rule.roles)));
}

absl::StatusOr<Caller> CallGuard::Admit(const CallRule& rule, const grpc::ServerContextBase& context,
                                        const Message& request, std::unique_ptr<Message>& narrowed) {
  ASSIGN_OR_RETURN(Caller caller, Admit(rule, context));
  if (caller.token == nullptr) return caller;
  if (caller.token->role == TokenRole::kViewer && !rule.not_for_viewers.empty() &&
      FlagAt(request, rule.not_for_viewers)) {
    telemetry_.AuthFailed(AuthFailure::kRole);
    return absl::PermissionDeniedError(
        Concat(rule.not_for_viewers, ": is not for role viewer: leave it out"));
  }
  const std::vector<std::string>* own = caller.Subscribers();
  if (own == nullptr || rule.without == WithoutOwner::kAllowed || rule.without == WithoutOwner::kNarrowed) {
    return caller;
  }
  bool named = false;
  for (const CallField& field : rule.fields) {
    const std::string text = TextAt(request, field.path);
    if (text.empty()) continue;
    RETURN_IF_ERROR(CheckOwner(field, text, caller));
    named = true;
  }
  if (named) return caller;
  if (rule.without != WithoutOwner::kFilledIn) {
    return absl::InvalidArgumentError(
        Concat(rule.fields.front().path, ": is empty: say which ", NameOf(rule.fields.front().object)));
  }
  const std::string_view path = rule.fields.back().path;
  if (own->size() != 1) {
    return absl::InvalidArgumentError(Concat(path, ": is empty, and the token is bound to ", own->size(),
                                             " subscribers: name one of them"));
  }
  narrowed.reset(request.New());
  narrowed->CopyFrom(request);
  SetText(*narrowed, path, own->front());
  return caller;
}

AuditOrigin CallGuard::OriginOf(const Caller& caller, const CallRule& rule,
                                const grpc::ServerContextBase& context, const Message& request) {
  AuditOrigin origin = OriginOfToken(caller.token.get());
  origin.peer = RemoteAddress(context);
  origin.call = std::string(rule.call);
  const FieldDescriptor* reason = request.GetDescriptor()->FindFieldByName("reason");
  if (reason != nullptr && reason->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    origin.reason = request.GetReflection()->GetString(request, reason);
  }
  return origin;
}

StillAllowed CallGuard::Lasting(const Caller& caller) {
  if (caller.token == nullptr) return nullptr;
  return [this, held = Caller(caller)]() mutable { return authenticator_.StillValid(held); };
}

absl::Status CallGuard::CheckOwner(const CallField& field, const std::string& text, const Caller& caller) {
  const absl::StatusOr<std::string> owner = OwnerOf(field.object, text);
  if (owner.ok() && caller.Owns(*owner)) return absl::OkStatus();
  if (owner.ok() || absl::IsNotFound(owner.status())) {
    return absl::NotFoundError(
        Concat(field.path, ": there is no such ", NameOf(field.object), " among what is this token's"));
  }
  const absl::string_view message = owner.status().message();
  if (!absl::IsInvalidArgument(owner.status())) return owner.status();
  return absl::InvalidArgumentError(
      Concat(field.path, ": ", std::string_view(message.data(), message.size())));
}

absl::StatusOr<std::string> CallGuard::OwnerOf(CallObject object, const std::string& text) {
  switch (object) {
    case CallObject::kSubscriber:
      return text;
    case CallObject::kEndpoint: {
      ASSIGN_OR_RETURN(const EndpointId id, EndpointId::Parse(text));
      return OwnerOfEndpoint(id);
    }
    case CallObject::kDelivery: {
      ASSIGN_OR_RETURN(const DeliveryId id, DeliveryId::Parse(text));
      ASSIGN_OR_RETURN(const DeliveryView view, engine_.GetDelivery(id));
      return view.delivery.subscriber_id;
    }
    case CallObject::kEvent: {
      ASSIGN_OR_RETURN(const EventId id, EventId::Parse(text));
      ASSIGN_OR_RETURN(const std::shared_ptr<const Event> event, engine_.GetEvent(id));
      return event->subscriber_id;
    }
    case CallObject::kJob: {
      ASSIGN_OR_RETURN(const uint64_t id, ParseJobId(text));
      ASSIGN_OR_RETURN(const Job job, engine_.GetJob(id));
      return OwnerOf(job);
    }
    case CallObject::kBin: {
      EndpointId endpoint;
      if (absl::StartsWith(text, "ep_")) {
        ASSIGN_OR_RETURN(endpoint, EndpointId::Parse(text));
      } else if (tools_ != nullptr) {
        ASSIGN_OR_RETURN(const BinView bin, tools_->bins().Get(text));
        endpoint = bin.endpoint;
      }
      return OwnerOfEndpoint(endpoint);
    }
  }
  return absl::NotFoundError("nobody's");
}

absl::StatusOr<std::string> CallGuard::OwnerOf(const Job& job) {
  if (!job.subscriber_id.empty()) return job.subscriber_id;
  return OwnerOfEndpoint(job.endpoint);
}

bool CallGuard::Owns(const Caller& caller, const Job& job) {
  const absl::StatusOr<std::string> owner = OwnerOf(job);
  return owner.ok() && caller.Owns(*owner);
}

absl::StatusOr<std::string> CallGuard::OwnerOfEndpoint(EndpointId id) {
  if (id.value == 0) return absl::NotFoundError("nobody's");
  ASSIGN_OR_RETURN(const EndpointView view, engine_.GetEndpoint(id));
  return view.endpoint->subscriber_id;
}

}  // namespace hookd
