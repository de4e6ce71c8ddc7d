#include "cli/session.h"

#include <cstdio>
#include <iostream>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <grpcpp/support/client_interceptor.h>

#include "cli/output.h"

namespace hookd::cli {
namespace {

// A server that was restarted is found again soon.
constexpr int kFirstReconnectMs = 100;
constexpr int kLastReconnectMs = 2000;
constexpr int kConnectMs = 5000;
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// The largest page or delivery is about 3 MiB.
constexpr int kMaxReceiveBytes = 16 * 1024 * 1024;

// Adds the token to each call, so that no command can forget it.
class TokenSender final : public grpc::experimental::Interceptor {
 public:
  explicit TokenSender(const std::string& token) : token_(token) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", "Bearer " + token_});
    }
    methods->Proceed();
  }

 private:
  const std::string& token_;  // the factory's
};

class TokenSenders final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenSenders(std::string token) : token_(std::move(token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new TokenSender(token_);
  }

 private:
  const std::string token_;
};

std::shared_ptr<grpc::ChannelCredentials> Credentials(const Session& session) {
  if (session.ca_pem.empty()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({session.ca_pem, session.key_pem, session.cert_pem});
}

}  // namespace

std::shared_ptr<grpc::Channel> Session::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  // Also gRPC's time for one connection: a busy server needs more than the backoff.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!token.empty()) interceptors.push_back(std::make_unique<TokenSenders>(token));
  return grpc::experimental::CreateCustomChannelWithInterceptors(server, Credentials(*this), arguments,
                                                                 std::move(interceptors));
}

void Session::Prepare(grpc::ClientContext& context, int64_t wait_seconds) const {
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_seconds(timeout_seconds + wait_seconds, GPR_TIMESPAN)));
}

bool Session::Check(const grpc::Status& status) {
  if (status.ok()) return true;
  const bool unknown =
      status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty();
  const std::string message = unknown ? "the server has no such call: it is older than this hookctl"
                                      : Printable(status.error_message());
  std::cerr << "hookctl: " << CodeName(status.error_code()) << ": " << message << "\n";
  const bool no_answer = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  exit_code = no_answer ? kExitUnreachable : kExitRefused;
  return false;
}

void Session::UsageError(const std::string& message) {
  std::cerr << "hookctl: " << message << "\n";
  exit_code = kExitUsage;
}

bool MayTryAgain(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:         // ended without having answered everything
    case grpc::StatusCode::CANCELLED:  // cut off by the server or something in between
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
      return true;
    default:
      return false;
  }
}

std::string CodeName(int code) {
  const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
  return name.empty() ? "UNKNOWN" : name;
}

}  // namespace hookd::cli
