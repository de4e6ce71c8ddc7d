#include "dispatcher/app/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include <absl/strings/str_cat.h>

namespace hookd {
namespace {

constexpr size_t kMaxPerMulti = 500;

}  // namespace

absl::StatusOr<size_t> RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::ErrnoToStatus(errno, "getrlimit(RLIMIT_NOFILE)");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return absl::ErrnoToStatus(errno, "setrlimit(RLIMIT_NOFILE)");
  return static_cast<size_t>(limit.rlim_cur);
}

absl::StatusOr<size_t> ConnectionsPerMulti(size_t limit, size_t max_in_flight, size_t multis) {
  const size_t needed = kReservedDescriptors + max_in_flight + multis;
  if (limit < needed) {
    return absl::FailedPreconditionError(
        absl::StrCat("delivery.max_in_flight: ", max_in_flight, " attempts need ", needed,
                     " descriptors and the limit is ", limit,
                     ": lower it, or raise the hard limit (LimitNOFILE, ulimit -Hn)"));
  }
  return std::min(kMaxPerMulti, (limit - kReservedDescriptors - max_in_flight) / multis);
}

}  // namespace hookd
