// What the machine has, divided at the start: threads, and file descriptors.
#pragma once

#include <cstddef>

#include <absl/status/statusor.h>

namespace hookd {

// Connections to our own ports, the tools' requests, and what the libraries open in passing.
inline constexpr size_t kInboundDescriptors = 256;
// The least that the database gets; it keeps every table (8 MiB) open.
inline constexpr size_t kMinStorageDescriptors = 1'024;
// It gets this part of the limit if that is more.
inline constexpr size_t kStorageShare = 8;
// An io_context, the transport's epoll set, the resolver's sockets.
inline constexpr size_t kDescriptorsPerShard = 6;
// A libcurl multi handle's own pair of sockets.
inline constexpr size_t kDescriptorsPerMulti = 2;
// More connections in one multi handle than this cost more to look through than they save.
inline constexpr size_t kMaxConnectionsPerMulti = 500;

// Raises RLIMIT_NOFILE's soft limit to the hard one and returns it.
absl::StatusOr<size_t> RaiseDescriptorLimit();

// How many shards to run: `configured`, or one per core when it is 0; never more than attempts at a time,
// since each shard takes at least one.
size_t ShardCount(size_t configured, size_t cores, size_t max_in_flight);

struct DescriptorNeeds {
  size_t max_in_flight = 0;
  size_t shards = 0;
  size_t multis = 0;  // in all shards
};

// How many connections each multi may keep, 1 to kMaxConnectionsPerMulti. FAILED_PRECONDITION, with the sum,
// when `limit` does not suffice.
absl::StatusOr<size_t> ConnectionsPerMulti(size_t limit, const DescriptorNeeds& needs);

}  // namespace hookd
