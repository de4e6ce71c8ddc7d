// File descriptors: the limit is raised at the start and divided between what needs them.
#pragma once

#include <cstddef>

#include <absl/status/statusor.h>

namespace hookd {

// For the database, inbound connections and the process itself.
inline constexpr size_t kReservedDescriptors = 384;

// Raises RLIMIT_NOFILE's soft limit to the hard one and returns it.
absl::StatusOr<size_t> RaiseDescriptorLimit();

// How many connections each of `multis` may keep, 1 to 500. FAILED_PRECONDITION when `limit` does not suffice
// for `max_in_flight` attempts.
absl::StatusOr<size_t> ConnectionsPerMulti(size_t limit, size_t max_in_flight, size_t multis);

}  // namespace hookd
