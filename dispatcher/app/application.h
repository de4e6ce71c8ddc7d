// The composition root: makes every part, in order, and takes them apart in the reverse one.
#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "hookd/config/v1/config.pb.h"

namespace hookd {

// Used by one thread, but for Alive. One per process.
class Application {
 public:
  // Telemetry, HTTP port (alive, not ready), store, engine, gRPC server, ready. After an error nothing runs.
  // When the store fails later, the process ends with 70 and its supervisor starts it again: what was written
  // is unknown to it until the store is opened anew.
  static absl::StatusOr<std::unique_ptr<Application>> Start(const config::v1::Config& config,
                                                            const std::string& version);
  ~Application();  // stops

  // IP:port, with the ports that were given.
  const std::string& grpc_address() const;
  const std::string& http_address() const;

  // Takes over what may change while it runs, opens the log's file anew, and logs what changed and what waits
  // for a restart. An error changes nothing and is logged.
  void Reload(const absl::StatusOr<config::v1::Config>& config);
  // Whether every thread that delivers has run since the call before; false at the first. Any thread, one at
  // a time; not while or after Stop runs.
  bool Alive();

  // Not ready; intake ends; attempts in flight may end until shutdown.deadline; everything is on disk and
  // closed when it returns. Idempotent.
  void Stop();

 private:
  class Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
