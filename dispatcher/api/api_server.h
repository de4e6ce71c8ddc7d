// The gRPC server: the services of hookd.v1, health checking and reflection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "dispatcher/api/authenticator.h"
#include "dispatcher/api/server_tls.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

class BackupRunner;
class Gateway;
class Toolbox;

struct ApiServerOptions {
  std::string listen = "127.0.0.1:7070";  // IP:port; port 0 = any free one
  std::string version;
  uint32_t storage_format = 0;
  Gateway* gateway = nullptr;  // opened by Start and closed by Shutdown; outlives the server
  Toolbox* tools = nullptr;    // outlives the server; null = without ToolService and CaptureService
  std::vector<std::string> egress_addresses;  // as GetEgressAddresses tells them
  BackupRunner* backups = nullptr;            // outlives the server; null = no folder for them is configured
  AuthOptions auth;
  ServerTlsOptions tls;
  std::chrono::seconds certificate_check = kCertificateCheck;
};

// Used by one thread. `engine`, `telemetry` and `clock` outlive it. Shut it down after Engine::Drain and
// before Engine::Stop: until then its calls wait for the engine.
class ApiServer {
 public:
  // Listens and answers when it returns. UNAVAILABLE when the address cannot be listened on;
  // INVALID_ARGUMENT: `tls`; INTERNAL: a call has no rule (call_rules.h).
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const ApiServerOptions& options, Engine& engine,
                                                          Telemetry& telemetry, const Clock& clock);
  ~ApiServer();

  // IP:port, with the port that was given.
  const std::string& address() const;

  // Health says NOT_SERVING, publishes are refused with UNAVAILABLE, and streams end with it after the answer
  // to what they have handed over. Reads go on. Idempotent.
  void StopIntake();

  // StopIntake; then waits for the answers that are due, until `deadline`, ends every call that is left, and
  // closes the port. No call into the engine is running or begins after it. Idempotent.
  void Shutdown(Duration deadline);

 private:
  class Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
