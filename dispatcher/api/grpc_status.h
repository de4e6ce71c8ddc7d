// The one place where an absl::Status becomes a grpc::Status.
#pragma once

#include <cstddef>

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace hookd {

// Longer messages are cut: they travel in HTTP/2 trailers, whose size peers bound.
inline constexpr size_t kMaxStatusMessage = 2048;

// Same code, same message. A code outside the canonical ones becomes UNKNOWN.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace hookd
