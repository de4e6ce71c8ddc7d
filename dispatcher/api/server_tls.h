// What a port shows its clients, and asks of them: TLS 1.2 and up, from PEM files that may change while hookd
// runs.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace boost::asio::ssl {
class context;
}
namespace grpc {
class ServerCredentials;
}

namespace hookd {

struct ServerTlsOptions {
  std::string cert_file;  // with those between it and its root; empty = no TLS
  std::string key_file;
  std::string client_ca_file;  // clients need a certificate of one of these; empty = they do not
  bool on() const { return !cert_file.empty(); }
};

// How often the files are looked at.
inline constexpr std::chrono::seconds kCertificateCheck{10};

using TlsContext = boost::asio::ssl::context;

// INVALID_ARGUMENT names the key under `section` ("http.tls"): a file cannot be read, holds no certificate or
// key, or these do not belong together.
absl::StatusOr<std::shared_ptr<TlsContext>> MakeTlsContext(const ServerTlsOptions& options,
                                                           const std::string& section);

// The same for gRPC, which looks at the files by itself and keeps what it has while they do not fit together.
// Errors as MakeTlsContext; without TLS: insecure ones.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeGrpcCredentials(const ServerTlsOptions& options,
                                                                             const std::string& section,
                                                                             std::chrono::seconds check);

// A context that follows its files. Used by one thread.
class WatchedTls {
 public:
  static absl::StatusOr<std::unique_ptr<WatchedTls>> Make(const ServerTlsOptions& options,
                                                          const std::string& section);

  // For connections that come from now on.
  const std::shared_ptr<TlsContext>& context() const { return context_; }
  // Looks at the files; true: they have changed, and act. An error keeps what was there, and is told once per
  // change.
  absl::StatusOr<bool> Refresh();

 private:
  using Stamp = std::array<int64_t, 12>;
  WatchedTls(ServerTlsOptions options, std::string section);
  Stamp Look() const;

  const ServerTlsOptions options_;
  const std::string section_;
  Stamp seen_;
  std::shared_ptr<TlsContext> context_;
};

}  // namespace hookd
