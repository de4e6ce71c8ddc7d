// The gRPC port's socket, and who comes to it. gRPC 1.51's own gives a port up for good at the first accept
// that fails, as it does without a free descriptor.
#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/server_builder.h>

namespace hookd {

// Connections that wait in the kernel to be taken; further ones are tried again by their clients.
inline constexpr int kGrpcBacklog = 512;

class GrpcListener {
 public:
  // Binds and listens; connections wait in the kernel. UNAVAILABLE: somebody else has it; its port 0 = any
  // free one.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Listen(const std::string& listen);
  ~GrpcListener();

  // IP:port, with the port that was given.
  const std::string& address() const;

  // Hands every connection to `acceptor`, which outlives this, from a thread of its own.
  void Start(grpc::experimental::ExternalConnectionAcceptor& acceptor);

  // Closes the port. What was taken goes on. Idempotent.
  void Close();

 private:
  class Impl;
  explicit GrpcListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
