// What gRPC by itself costs: a server that reads the same publish batches and answers each, and does nothing
// else.
#pragma once

#include <cstddef>
#include <string>

#include "tests/bench/ceilings.h"

namespace hookd::bench {

// The first argument that makes this program the server.
inline constexpr char kGrpcServerFlag[] = "--grpc-server";

// Starts `self` as the server, in a process of its own so that the client's CPU is not counted. CPU is the
// server's.
Rate GrpcLoop(const std::string& self, size_t events, size_t payload_bytes);

// The server: says "grpc=ADDRESS" and runs until it is ended by SIGTERM.
int RunGrpcServer();

}  // namespace hookd::bench
