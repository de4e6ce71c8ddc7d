#include "dispatcher/api/api_server.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "base/status_macros.h"
#include "dispatcher/api/call_guard.h"
#include "dispatcher/api/feed_context.h"
#include "dispatcher/api/gateway.h"
#include "dispatcher/api/grpc_listener.h"
#include "dispatcher/api/guarded_services.h"
#include "dispatcher/api/publish_batch.h"

namespace hookd {
namespace {

// Above kMaxBatchBytes by enough that a batch somewhat too big is refused by name, not by gRPC.
constexpr int kMaxReceiveBytes = static_cast<int>(kMaxBatchBytes) + 1024 * 1024;
static_assert(kMaxGatewayBodyBytes / 4 * 3 > kMaxReceiveBytes, "a batch of payloads in base64 fits");
constexpr int kMaxMetadataBytes = 16 * 1024;
constexpr int kMaxStreamsPerConnection = 128;
// Threads of the synchronous services; above, calls are refused with RESOURCE_EXHAUSTED.
constexpr int kMaxAdminThreads = 32;
// What all connections' buffers may hold; above, gRPC reads less and drops what is idle.
constexpr size_t kMaxBufferBytes = 256 * 1024 * 1024;
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinPingIntervalMs = 10'000;
// Of the gateway's calls, before it becomes JSON.
constexpr int kMaxInProcessAnswerBytes = 16 * 1024 * 1024;
// What is left after that long is cut: Shutdown's second step, and the gateway's answers after it.
constexpr int64_t kCutAfterMs = 1000;

void Configure(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  grpc::ResourceQuota quota("hookd");
  quota.SetMaxThreads(kMaxAdminThreads);
  quota.Resize(kMaxBufferBytes);
  builder.SetResourceQuota(quota);
}

grpc::ChannelArguments InProcessArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxInProcessAnswerBytes);
  return arguments;
}

}  // namespace

class ApiServer::Impl {
 public:
  Impl(const ApiServerOptions& options, Engine& engine, Telemetry& telemetry, const Clock& clock)
      : publish_(std::make_shared<PublishContext>(engine, telemetry, clock)),
        feed_(std::make_shared<FeedContext>(engine, clock)),
        events_(publish_, feed_),
        subscribers_(engine),
        endpoints_(engine, options.tools),
        deliveries_(engine, feed_),
        jobs_(engine),
        operations_(options.version, options.storage_format, options.egress_addresses, engine, telemetry,
                    clock),
        backups_(options.backups, engine),
        tokens_(engine, clock),
        audit_(engine),
        profiles_(engine),
        guard_(options.auth, engine, options.tools, telemetry, clock),
        gateway_(options.gateway) {
    Show<GuardedEventService>(events_);
    Show<GuardedSubscriberService>(subscribers_);
    Show<GuardedEndpointService>(endpoints_);
    Show<GuardedDeliveryService>(deliveries_);
    Show<GuardedJobService>(jobs_);
    Show<GuardedOperationsService>(operations_);
    Show<GuardedBackupService>(backups_);
    Show<GuardedTokenService>(tokens_);
    Show<GuardedAuditService>(audit_);
    Show<GuardedProfileService>(profiles_);
    if (options.tools == nullptr) return;
    tools_.emplace(engine, *options.tools, feed_);
    captures_.emplace(engine, *options.tools, feed_);
    Show<GuardedToolService>(*tools_);
    Show<GuardedCaptureService>(*captures_);
  }

  ~Impl() { Shutdown(Duration::zero()); }

  absl::Status Start(const ApiServerOptions& options) {
    RETURN_IF_ERROR(CheckCallRules(PublicServices(), CallRules()));
    ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                     MakeGrpcCredentials(options.tls, "grpc.tls", options.certificate_check));
    ASSIGN_OR_RETURN(listener_, GrpcListener::Listen(options.listen));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    Configure(builder);
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    for (const std::unique_ptr<grpc::Service>& service : shown_) builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::UnavailableError("grpc.listen: the server does not start");
    listener_->Start(*acceptor_);
    server_->GetHealthCheckService()->SetServingStatus(true);
    if (gateway_ != nullptr)
      gateway_->Open(server_->InProcessChannel(InProcessArguments()), options.auth.required);
    return absl::OkStatus();
  }

  void StopIntake() {
    if (server_ != nullptr) server_->GetHealthCheckService()->SetServingStatus(false);
    publish_->calls.StopIntake();
    feed_->calls.StopIntake();
  }

  void Shutdown(Duration deadline) {
    StopIntake();
    if (!publish_->calls.WaitEmpty(deadline)) publish_->calls.AbortAll();
    if (gateway_ != nullptr) gateway_->StopIntake();
    if (server_ != nullptr) {
      listener_->Close();
      server_->Shutdown(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(kCutAfterMs, GPR_TIMESPAN)));
      server_->Wait();
      if (gateway_ != nullptr) gateway_->Close(std::chrono::milliseconds(kCutAfterMs));
      server_.reset();
    }
    publish_->answers.Stop();
    feed_->Stop();
  }

  const std::string& address() const { return listener_->address(); }

 private:
  // Nothing is registered that does not pass the guard.
  template <typename GuardedService, typename Inner>
  void Show(Inner& inner) {
    shown_.push_back(std::make_unique<GuardedService>(inner, guard_));
  }

  const std::shared_ptr<PublishContext> publish_;
  const std::shared_ptr<FeedContext> feed_;
  EventService events_;
  SubscriberService subscribers_;
  EndpointService endpoints_;
  DeliveryService deliveries_;
  JobService jobs_;
  OperationsService operations_;
  BackupService backups_;
  TokenService tokens_;
  AuditService audit_;
  ProfileService profiles_;
  std::optional<ToolService> tools_;
  std::optional<CaptureService> captures_;
  CallGuard guard_;
  std::vector<std::unique_ptr<grpc::Service>> shown_;
  Gateway* const gateway_;
  std::unique_ptr<GrpcListener> listener_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const ApiServerOptions& options, Engine& engine,
                                                            Telemetry& telemetry, const Clock& clock) {
  // A caller that sends what is no message is told so; Protobuf would write a line of its own for each field.
  google::protobuf::SetLogHandler(nullptr);
  auto impl = std::make_unique<Impl>(options, engine, telemetry, clock);
  if (absl::Status started = impl->Start(options); !started.ok()) return started;
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;

const std::string& ApiServer::address() const { return impl_->address(); }
void ApiServer::StopIntake() { impl_->StopIntake(); }
void ApiServer::Shutdown(Duration deadline) { impl_->Shutdown(deadline); }

}  // namespace hookd
