#include "dispatcher/api/call_registry.h"

#include <utility>

#include <absl/time/time.h>

namespace hookd {

bool CallRegistry::Add(std::shared_ptr<LiveCall> call) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  LiveCall* key = call.get();
  calls_.emplace(key, std::move(call));
  return true;
}

void CallRegistry::Remove(LiveCall* call) {
  std::shared_ptr<LiveCall> last;  // destroyed after the lock is released
  absl::MutexLock lock(&mutex_);
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  last = std::move(found->second);
  calls_.erase(found);
}

void CallRegistry::StopIntake() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  for (const std::shared_ptr<LiveCall>& call : Calls()) call->StopIntake();
}

bool CallRegistry::WaitEmpty(Duration timeout) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &CallRegistry::Empty), absl::FromChrono(timeout));
}

void CallRegistry::AbortAll() {
  for (const std::shared_ptr<LiveCall>& call : Calls()) call->Abort();
}

std::vector<std::shared_ptr<LiveCall>> CallRegistry::Calls() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<LiveCall>> calls;
  calls.reserve(calls_.size());
  for (const auto& [key, call] : calls_) calls.push_back(call);
  return calls;
}

}  // namespace hookd
