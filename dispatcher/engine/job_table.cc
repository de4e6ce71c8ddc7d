#include "dispatcher/engine/job_table.h"

#include "base/concat.h"
#include "dispatcher/engine/engine.h"

namespace hookd {

void JobTable::Recovered(const DeliveryStore::Recovered& recovered) {
  absl::MutexLock lock(&mutex_);
  for (const Job& job : recovered.jobs) {
    jobs_[job.id] = job;
    if (job.state == JobState::kRunning) ++running_;
  }
  next_ = recovered.next_job;
}

absl::StatusOr<uint64_t> JobTable::Reserve() {
  absl::MutexLock lock(&mutex_);
  if (running_ + reserved_ >= kMaxRunningJobs) {
    return absl::ResourceExhaustedError(
        Concat(kMaxRunningJobs, " jobs run: wait until one has ended, or cancel one"));
  }
  ++reserved_;
  return next_++;
}

void JobTable::Release() {
  absl::MutexLock lock(&mutex_);
  --reserved_;
}

std::vector<uint64_t> JobTable::Put(const Job& job) {
  absl::MutexLock lock(&mutex_);
  const auto [place, added] = jobs_.try_emplace(job.id, job);
  if (added) {
    --reserved_;
    ++running_;
  }
  const bool ends = place->second.state == JobState::kRunning && job.state != JobState::kRunning;
  place->second = job;
  std::vector<uint64_t> forgotten;
  if (!ends) return forgotten;
  --running_;
  while (jobs_.size() - running_ > kMaxEndedJobs) {
    auto oldest = jobs_.end();
    for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
      if (it->second.state == JobState::kRunning) continue;
      if (oldest == jobs_.end() || it->second.ended_ms < oldest->second.ended_ms) oldest = it;
    }
    forgotten.push_back(oldest->first);
    jobs_.erase(oldest);
  }
  return forgotten;
}

absl::StatusOr<Job> JobTable::Get(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return absl::NotFoundError("id: no such job, or it ended long ago");
  return found->second;
}

std::vector<Job> JobTable::List(uint64_t before, size_t limit, bool running_only) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Job> list;
  auto it = before == 0 ? jobs_.end() : jobs_.lower_bound(before);
  while (it != jobs_.begin() && list.size() < limit) {
    --it;
    if (!running_only || it->second.state == JobState::kRunning) list.push_back(it->second);
  }
  return list;
}

std::vector<Job> JobTable::Running() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Job> list;
  for (const auto& [id, job] : jobs_) {
    if (job.state == JobState::kRunning) list.push_back(job);
  }
  return list;
}

size_t JobTable::running() const {
  absl::MutexLock lock(&mutex_);
  return running_;
}

}  // namespace hookd
