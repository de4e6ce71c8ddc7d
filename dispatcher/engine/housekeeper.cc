#include "dispatcher/engine/housekeeper.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/operational_event.h"

namespace hookd {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr uint64_t kRetentionEveryLooks = 60;
constexpr uint64_t kFullDiskEveryLooks = 5;

}  // namespace

Housekeeper::Housekeeper(const EngineTunables& tunables, DeliveryStore& store, Committer& committer,
                         Telemetry& telemetry, boost::asio::thread_pool& pool)
    : tunables_(tunables), store_(store), committer_(committer), telemetry_(telemetry), timer_(pool) {}

void Housekeeper::Start() { Wait(); }

void Housekeeper::Stop() { stopped_ = true; }

void Housekeeper::Wait() {
  timer_.expires_after(kLookEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    Look();
    Wait();
  });
}

bool Housekeeper::DiskIsFull(const EngineTunables& tunables) {
  const absl::StatusOr<DiskSpace> disk = store_.Disk();
  if (!disk.ok()) {
    telemetry_.Error("disk", std::string(disk.status().message()));
    return disk_full_;
  }
  if (disk->total_bytes == 0) return false;
  const uint64_t mark = disk_full_ ? tunables.disk_low_percent : tunables.disk_high_percent;
  const double used = 100.0 * static_cast<double>(disk->total_bytes - disk->free_bytes) /
                      static_cast<double>(disk->total_bytes);
  const bool full = used >= static_cast<double>(mark);
  if (full && !disk_full_) {
    told_ = Concat("the disk is ", static_cast<int>(used), " % full: events are refused, deliveries go on");
    telemetry_.Alert(AlertKind::kDisk, EndpointId{}, "", told_);
  }
  return full;
}

void Housekeeper::Look() {
  EngineTunables tunables;
  {
    absl::MutexLock lock(&mutex_);
    tunables = tunables_;
  }
  disk_full_ = DiskIsFull(tunables);
  committer_.HoldIntake(disk_full_ ? "disk" : store_.Stalled() ? "stall" : "");
  const bool keep = looks_++ % (disk_full_ ? kFullDiskEveryLooks : kRetentionEveryLooks) == 0;
  if (waiting_.exchange(true)) return;
  // An empty change too lets the committer look at the clock.
  committer_.Submit({[retention = tunables.retention, keep, full = disk_full_,
                      told = std::exchange(told_, std::string())](Ledger& ledger) {
                       if (!told.empty()) {
                         OperationalEvent event;
                         event.type = operational::kDisk;
                         event.message = told;
                         ledger.Announce(std::move(event));
                       }
                       if (keep) ledger.Keep(retention, full);
                     },
                     [this](const absl::Status&) { waiting_ = false; }});
}

}  // namespace hookd
