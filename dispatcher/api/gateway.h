// Calls from the HTTP port to hookd's own services, through the gRPC server's in-process channel: whatever is
// a service of it can be called, with no code per call.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/asio/any_io_executor.hpp>

#include "base/clock.h"

namespace grpc {
class Channel;
}
namespace google::protobuf {
class DescriptorPool;
class MethodDescriptor;
}  // namespace google::protobuf

namespace hookd {

// Of one request: the gRPC server's largest message in base64, and what stands around it.
inline constexpr size_t kMaxGatewayBodyBytes = 7 * 1024 * 1024;
// Of all requests and answers together.
inline constexpr size_t kMaxGatewayBytes = 64 * 1024 * 1024;
// Reserved for a call at least, so that the answer to a publish always fits.
inline constexpr size_t kGatewayCallBytes = 256 * 1024;
// From a request's header to the end of its answer. Fewer than the port's connections: there is always one
// for /metrics and /readyz.
inline constexpr size_t kMaxGatewayCalls = 48;
inline constexpr size_t kMaxGatewayStreams = 24;  // of them, and polls, which may wait too

// The metadata of a gateway's call that says which address it comes from.
inline constexpr char kRemoteAddressKey[] = "hookd-remote-address";

class GatewayBudget;

// A call's place and memory, until it is destroyed. Thread-safe.
class GatewayPlace {
 public:
  GatewayPlace(std::shared_ptr<GatewayBudget> budget, bool stream, size_t bytes);
  ~GatewayPlace();
  GatewayPlace(const GatewayPlace&) = delete;
  GatewayPlace& operator=(const GatewayPlace&) = delete;

  // From then on it holds `bytes`, if that is more than before. RESOURCE_EXHAUSTED when there is no room.
  absl::Status Hold(size_t bytes);

 private:
  const std::shared_ptr<GatewayBudget> budget_;
  const bool stream_;
  size_t bytes_;  // guarded by the budget's mutex
};

struct GatewayRequest {
  const google::protobuf::MethodDescriptor* method = nullptr;  // unary, or a stream of the server
  bool json = true;  // of the request's message and the answers; else they are encoded messages
  std::optional<std::chrono::milliseconds> timeout;
  std::string authorization;   // visible ASCII; empty = none
  std::string remote_address;  // of the client, without a port
  std::string message;
  std::shared_ptr<GatewayPlace> place;
};

// Both come on the executor that was given with the call.
class GatewayListener {
 public:
  virtual ~GatewayListener() = default;
  // The first one by itself, each further one after Next.
  virtual void OnMessage(std::string message) = 0;
  // The last thing that comes. A call that was ended from this side may have UNAVAILABLE.
  virtual void OnEnd(absl::Status status) = 0;
};

// Both from any thread, and they do not block.
class GatewayCall {
 public:
  virtual ~GatewayCall() = default;
  // Once after each message.
  virtual void Next() = 0;
  // Nobody wants the answer any more; OnEnd still comes. Idempotent.
  virtual void Cancel() = 0;
};

// Thread-safe. Outlives the port and the server that use it.
class Gateway {
 public:
  Gateway();
  // Over other services than hookd's: for tests.
  explicit Gateway(const google::protobuf::DescriptorPool& services);
  ~Gateway();  // closes

  const google::protobuf::DescriptorPool& services() const;

  // Until then, and after StopIntake or Close, everything is refused with UNAVAILABLE. `any_host`: as
  // ReadConnectHeader's.
  void Open(std::shared_ptr<grpc::Channel> channel, bool any_host = false);
  bool any_host() const;
  // No call begins after it; those that have begun go on. Before the channel's server shuts down. Idempotent.
  void StopIntake();
  // StopIntake; what is left after `grace` ends with UNAVAILABLE. No call is running or begins after it, and
  // no listener is told anything that is not on its executor yet. Idempotent; not from a listener.
  void Close(Duration grace = Duration::zero());

  // UNAVAILABLE, or RESOURCE_EXHAUSTED: no place, or no memory.
  absl::StatusOr<std::shared_ptr<GatewayPlace>> Admit(bool stream, size_t body_bytes);

  // Does not block: conversion has threads of its own. The listener's last reference is dropped on
  // `executor`.
  std::shared_ptr<GatewayCall> Start(GatewayRequest request, std::shared_ptr<GatewayListener> listener,
                                     boost::asio::any_io_executor executor);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
