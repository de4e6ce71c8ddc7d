// The HTTP port: /metrics, /healthz, /readyz, the request bins, the calls of ProviderRest, and the gateway's
// procedures. A small server
// of its own, on its own thread, so that it answers when everything else is busy.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dispatcher/api/server_tls.h"

namespace hookd {

class BinStore;
class Gateway;
class ProviderRest;

// What an endpoint may add to a request that goes to a bin fits.
inline constexpr size_t kMaxHttpHeaderBytes = 24 * 1024;
// Above, connections wait in the kernel's backlog until one ends.
inline constexpr size_t kMaxHttpConnections = 64;
// For a request from its first awaited byte to its last; an idle connection ends with it too.
inline constexpr std::chrono::seconds kRequestTimeout{10};
// For an answer, or one message of a stream, to be taken by the client; else it is cut.
inline constexpr std::chrono::seconds kAnswerTimeout{10};

struct HttpPortOptions {
  std::string listen = "127.0.0.1:7071";  // IP:port; port 0 = any free one
  // Called on the port's thread; must not block for long, nor throw.
  std::function<std::string()> metrics;  // Prometheus' text format 0.0.4
  std::function<absl::Status()> ready;   // not OK: its message says why not
  Gateway* gateway = nullptr;            // outlives the port, which closes it; null = no procedures
  BinStore* bins = nullptr;              // outlives the port; null = no bins
  ServerTlsOptions tls;
  // The certificate has changed, or could not be read anew. On the port's thread; null = nobody is told.
  std::function<void(const absl::Status&)> tls_changed;
  std::chrono::milliseconds certificate_check = kCertificateCheck;
  ProviderRest* rest = nullptr;  // outlives the port; null = no calls of providers' customers
  std::chrono::milliseconds request_timeout = kRequestTimeout;
  std::chrono::milliseconds answer_timeout = kAnswerTimeout;
};

// Used by one thread.
class HttpPort {
 public:
  // Listens and answers when it returns. INVALID_ARGUMENT or UNAVAILABLE when the address cannot be listened
  // on.
  static absl::StatusOr<std::unique_ptr<HttpPort>> Start(HttpPortOptions options);
  // Closes every connection; no callback runs after it.
  ~HttpPort();

  // IP:port, with the port that was given.
  const std::string& address() const;

 private:
  class Impl;
  explicit HttpPort(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
