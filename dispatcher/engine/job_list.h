// What a job is about, read from the store page by page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/core/profiles.h"
#include "storage/delivery_store.h"

namespace hookd {

// Payloads of one step of a job; at least one.
inline constexpr size_t kJobStepBytes = 4u << 20;

// Where in its lists a job is.
struct JobPlace {
  uint32_t phase = 0;
  std::string position;
};

struct JobItem {
  EndpointId endpoint;
  std::shared_ptr<const Event> event;  // null: its payload is gone, or it is not needed (an expiry)
  Delivery delivery;                   // that it is about; of a replay: none
};

struct JobPage {
  std::vector<JobItem> items;  // that the job's filters take; perhaps none
  JobPlace next;               // behind them
  bool last = false;           // there is nothing behind them
};

// INVALID_ARGUMENT: the job lacks what its kind needs, or has what it cannot use.
absl::Status CheckJob(const Job& job);

// At most `limit` items, oldest first. A replay leaves out what the subscriber's plan does not have.
// NOT_FOUND: the endpoint of a replay is gone. Errors: of the disk.
absl::StatusOr<JobPage> ReadJobPage(const DeliveryStore& store, const Profiles& profiles, const Job& job,
                                    const JobPlace& from, size_t limit);

// As ReadJobPage, for counting: how many the filters take on the way to `next`.
struct JobCount {
  uint64_t matched = 0;
  JobPlace next;
  bool last = false;
};
absl::Status CountJobPage(const DeliveryStore& store, const Profiles& profiles, const Job& job,
                          JobCount& count);

}  // namespace hookd
