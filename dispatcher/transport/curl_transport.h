// HttpTransport over libcurl multi, driven by an io_context. libcurl and c-ares stay inside this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/model.h"
#include "dispatcher/core/egress_rules.h"
#include "dispatcher/transport/http_transport.h"

namespace boost::asio {
class io_context;
}

namespace hookd {

// Response headers of one exchange in all (1xx and trailers included); more is kResponseTooBig.
inline constexpr size_t kMaxHeaderBytes = 64 * 1024;
// How long a response body may take after the verdict, if the deadline leaves that much.
inline constexpr Millis kDrainTime{2'000};

// How connections leave this machine.
struct EgressPath {
  std::optional<Ip> proxy;  // CONNECT goes there, with the address that was judged; it is not judged itself
  uint16_t proxy_port = 0;
  // Connections are made from these. With either, a family without one is not connected to.
  std::optional<Ip> source_v4;
  std::optional<Ip> source_v6;
};

struct CurlTransportOptions {
  std::string ca_file;                          // PEM bundle to verify receivers with; empty = the system's
  bool insecure_skip_tls_verification = false;  // takes every certificate
  EgressPath path;
  size_t multis = 8;        // libcurl multi handles for HTTP/1.1, 1..64; a target always meets the same one
  size_t http2_multis = 2;  // likewise for HTTP/2
  size_t connections_per_multi =
      500;  // kept alive per multi, 1..1000; at the bound the oldest idle one is closed
  std::vector<std::string> dns_servers;        // "ip:port", IPv6 in brackets; empty = the system's
  std::shared_ptr<const EgressPolicy> egress;  // null = EgressRules' strict ones
};

// INVALID_ARGUMENT, naming transport.ca_file, unless `path` is a file with at least one PEM certificate:
// libcurl would find out at the first TLS connection.
absl::Status CheckCaFile(const std::string& path);

// Once, before any other thread starts: initialises libcurl and c-ares and ignores SIGPIPE process-wide.
void InitCurl();

// Thread: made, used and destroyed on the thread that runs `io`, which outlives it; `clock` too. Must not be
// destroyed inside one of its callbacks. Exchanges in flight are not bounded here: the caller admits them.
// Out of descriptors at creation ends the process.
std::unique_ptr<HttpTransport> MakeCurlTransport(boost::asio::io_context& io,
                                                 const CurlTransportOptions& options, const Clock& clock);

}  // namespace hookd
