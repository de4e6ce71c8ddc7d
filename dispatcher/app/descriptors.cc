#include "dispatcher/app/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include <absl/strings/str_cat.h>

namespace hookd {
absl::StatusOr<size_t> RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::ErrnoToStatus(errno, "getrlimit(RLIMIT_NOFILE)");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::ErrnoToStatus(errno, "setrlimit(RLIMIT_NOFILE)");
  return static_cast<size_t>(limit.rlim_cur);
}

size_t ShardCount(size_t configured, size_t cores, size_t max_in_flight) {
  const size_t wanted = configured > 0 ? configured : std::clamp<size_t>(cores, 1, 64);
  return std::max<size_t>(1, std::min(wanted, max_in_flight));
}

absl::StatusOr<size_t> ConnectionsPerMulti(size_t limit, const DescriptorNeeds& needs) {
  const size_t storage = std::max(kMinStorageDescriptors, limit / kStorageShare);
  const size_t machinery = needs.shards * kDescriptorsPerShard + needs.multis * kDescriptorsPerMulti;
  // Each multi keeps at least one connection.
  const size_t needed = storage + kInboundDescriptors + machinery + needs.max_in_flight + needs.multis;
  if (limit < needed) {
    return absl::FailedPreconditionError(
        absl::StrCat("delivery.max_in_flight: ", needed, " descriptors are needed and the limit is ", limit,
                     ": ", storage, " for the database, ", kInboundDescriptors, " for inbound connections, ",
                     machinery, " for ", needs.shards, " shards and ", needs.multis, " multi handles, ",
                     needs.max_in_flight, " for attempts in flight, ", needs.multis,
                     " for kept connections. Lower it, or raise the hard limit (LimitNOFILE, ulimit -Hn)"));
  }
  return std::min(kMaxConnectionsPerMulti, (limit - needed) / needs.multis + 1);
}

}  // namespace hookd
