// Whether a call may be made: who calls (authenticator.h), whether the role has the call, and whether what it
// names is the caller's (call_rules.h). The one place where this is decided.
#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include "base/audit.h"
#include "dispatcher/api/authenticator.h"
#include "dispatcher/api/call_registry.h"
#include "dispatcher/api/call_rules.h"
#include "dispatcher/engine/engine.h"

namespace hookd {

class Toolbox;

// Thread-safe.
class CallGuard {
 public:
  // All outlive it; `tools` null = there are no bins.
  CallGuard(const AuthOptions& options, Engine& engine, Toolbox* tools, Telemetry& telemetry,
            const Clock& clock);

  // The caller's token has its role's call. UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED.
  absl::StatusOr<Caller> Admit(const CallRule& rule, const grpc::ServerContextBase& context);
  // Of a call with one request message: also that what it names is the caller's. `narrowed` becomes a copy of
  // the request with the subscriber filled in, where the rule says so, and else stays null.
  // A subscriber's token never learns whether there is what is not its own: both are NOT_FOUND, with the same
  // words. May read the disk.
  absl::StatusOr<Caller> Admit(const CallRule& rule, const grpc::ServerContextBase& context,
                               const google::protobuf::Message& request,
                               std::unique_ptr<google::protobuf::Message>& narrowed);

  // For the audit log: who makes this call.
  static AuditOrigin OriginOf(const Caller& caller, const CallRule& rule,
                              const grpc::ServerContextBase& context,
                              const google::protobuf::Message& request);

  // The job is about what is the caller's. May read the disk.
  bool Owns(const Caller& caller, const Job& job);

  // Of a call that publishes. The guard outlives them.
  PublishLimits LimitsOf(const Caller& caller) { return authenticator_.LimitsOf(caller); }

  // For streams: asked before each message. The guard outlives them.
  StillAllowed Lasting(const Caller& caller);

 private:
  absl::Status CheckOwner(const CallField& field, const std::string& text, const Caller& caller);
  // NOT_FOUND: there is none, or nobody owns it.
  absl::StatusOr<std::string> OwnerOf(CallObject object, const std::string& text);
  absl::StatusOr<std::string> OwnerOfEndpoint(EndpointId id);
  absl::StatusOr<std::string> OwnerOf(const Job& job);

  Engine& engine_;
  Toolbox* const tools_;
  Telemetry& telemetry_;
  Authenticator authenticator_;
};

}  // namespace hookd
