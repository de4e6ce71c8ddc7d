// The HTTP port: /metrics, /healthz, /readyz. A small server of its own, on its own thread, so that it
// answers when everything else is busy.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace hookd {

inline constexpr size_t kMaxHttpHeaderBytes = 8 * 1024;
// Above, connections wait in the kernel's backlog until one ends.
inline constexpr size_t kMaxHttpConnections = 64;

struct HttpPortOptions {
  std::string listen = "127.0.0.1:7071";  // IP:port; port 0 = any free one
  // Called on the port's thread; must not block for long, nor throw.
  std::function<std::string()> metrics;  // Prometheus' text format 0.0.4
  std::function<absl::Status()> ready;   // not OK: its message says why not
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
