#include "dispatcher/api/answer_thread.h"

#include <utility>

#include <absl/time/time.h>

namespace hookd {
namespace {

constexpr absl::Duration kLater = absl::Milliseconds(1);

}  // namespace

AnswerThread::AnswerThread() : thread_([this] { Run(); }) {}

AnswerThread::~AnswerThread() { Stop(); }

void AnswerThread::Post(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (!stopped_) tasks_.push_back(std::move(task));
}

void AnswerThread::PostLater(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (!stopped_) later_.push_back(std::move(task));
}

void AnswerThread::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void AnswerThread::Run() {
  for (;;) {
    std::vector<std::function<void()>> tasks;
    std::vector<std::function<void()>> later;
    bool stopped = false;
    {
      absl::MutexLock lock(&mutex_);
      // Without a bound when nothing is to be done later; PostLater ends the wait too.
      const absl::Condition work(this, &AnswerThread::HasWork);
      if (later_.empty()) {
        mutex_.Await(absl::Condition(this, &AnswerThread::HasAny));
      }
      if (!later_.empty()) mutex_.AwaitWithTimeout(work, kLater);
      tasks.swap(tasks_);
      later.swap(later_);
      stopped = stopped_;
    }
    if (stopped) return;  // what is left is dropped, without the lock
    for (auto* queue : {&tasks, &later}) {
      for (std::function<void()>& task : *queue) {
        task();
        task = nullptr;  // what it owns may be the last reference to a call
      }
    }
  }
}

}  // namespace hookd
