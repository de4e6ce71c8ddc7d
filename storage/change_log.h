// The record that a commit leaves of the deliveries it changed, and the hours of which such records are kept.
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "storage/delivery_store.h"
#include "storage/facts.h"

namespace hookd::storage::v1 {
class ChangeRecord;
class ChangesRecord;
}  // namespace hookd::storage::v1

namespace hookd {

class ChangeLog {
 public:
  ChangeLog();
  ~ChangeLog();

  // Adds what the fact changed to the open commit's record.
  void Apply(const Accepted& fact);
  void Apply(const Redelivered& fact);
  void Apply(const AttemptRecorded& fact);
  void Apply(const DeliveryEnded& fact);

  // The open commit's record, and the beginning of the next; empty = nothing changed. Valid until the next
  // call of Take.
  const std::string& Take(WallMs committed_ms);

 private:
  // In the path of every delivery: the messages and their strings are used again. Beyond so many the memory
  // is given back.
  static constexpr int kMaxReused = 4096;

  const std::unique_ptr<storage::v1::ChangesRecord> open_;
  std::string bytes_;
};

// Adds a record's changes. DATA_LOSS = the bytes are no such record.
absl::Status DecodeChanges(std::string_view bytes, std::vector<StateChange>& changes);

// What ReadChanges answers where it cannot.
absl::Status LaterThanNewest(uint64_t newest_commit);
absl::Status OlderThanKept(uint64_t oldest_kept_commit);

// Which commit began each hour, so that old records go by one range.
class ChangeHours {
 public:
  struct Hour {
    Bucket hour = 0;
    uint64_t first = 0;  // commit
  };

  // An hour that is kept, at recovery; in their order.
  void Load(const Hour& hour) { hours_.push_back(hour); }
  // A commit at `now`, which never goes back. The hour, if this commit begins it.
  std::optional<Hour> Begin(WallMs now, uint64_t commit);
  // Hours that are over for longer than kChangesKept are taken out, one by one; not the newest.
  std::optional<Hour> TakeExpired(WallMs now);
  // The oldest commit that is kept. Something was begun or loaded.
  uint64_t first() const { return hours_.front().first; }
  bool empty() const { return hours_.empty(); }

 private:
  std::deque<Hour> hours_;
};

}  // namespace hookd
