// What a purge is about, read from the store page by page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"
#include "dispatcher/engine/job_list.h"
#include "storage/delivery_store.h"

namespace hookd {

// The phases of a purge. One of a single event begins with the second.
inline constexpr uint32_t kPurgeDeliveries = 0;  // of the subscriber: they end, and what is kept of them goes
inline constexpr uint32_t kPurgeEvents = 1;      // payloads, and deliveries that were made meanwhile
inline constexpr uint32_t kPurgeFiles = 2;       // what went is taken out of the files

// Deliveries of one event that a purge looks at; with more it fails.
inline constexpr size_t kMaxPurgeDeliveries = 100'000;

struct PurgePage {
  std::vector<Delivery> pending;  // to be ended; the page is read again then
  std::vector<Delivery> ended;    // with all attempts, and without what was kept of their exchanges
  std::vector<std::shared_ptr<const Event>> events;
  uint64_t looked_at = 0;  // deliveries, or events
  JobPlace next;
  uint64_t seen = 0;  // the newest commit before it was read
};

// Of a job in one of the first two phases; at most `limit` deliveries or events.
absl::StatusOr<PurgePage> ReadPurgePage(const DeliveryStore& store, const Job& job, const JobPlace& from,
                                        size_t limit);

// As CountJobPage.
absl::Status CountPurgePage(const DeliveryStore& store, const Job& job, size_t limit, JobCount& count);

}  // namespace hookd
