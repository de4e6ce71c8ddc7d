// Where the answers to publishes are made and sent: the committer only hands outcomes over, and goes on.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace hookd {

// Runs tasks one by one, in the order of Post, on a thread of its own. Thread-safe.
// Its queue is bounded by its users: a publish that is not answered has one task in it at most.
class AnswerThread {
 public:
  AnswerThread();
  ~AnswerThread();  // stops
  AnswerThread(const AnswerThread&) = delete;
  AnswerThread& operator=(const AnswerThread&) = delete;

  // After Stop the task is dropped.
  void Post(std::function<void()> task);

  // The same after a millisecond, or after the next other tasks: for what would else spin.
  void PostLater(std::function<void()> task);

  // What was posted before has run or been dropped when it returns. Idempotent; never from a task.
  void Stop();

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !tasks_.empty(); }
  bool HasAny() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return HasWork() || !later_.empty(); }

  absl::Mutex mutex_;
  std::vector<std::function<void()>> later_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace hookd
