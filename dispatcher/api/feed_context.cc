#include "dispatcher/api/feed_context.h"

#include <utility>

#include <boost/asio/post.hpp>

namespace hookd {

FeedContext::FeedContext(Engine& the_engine, const Clock& the_clock)
    : engine(the_engine), clock(the_clock), pool_(kFeedThreads), timer_(pool_) {}

FeedContext::~FeedContext() { Stop(); }

void FeedContext::Post(std::function<void()> task) { boost::asio::post(pool_, std::move(task)); }

void FeedContext::WhenCommitted(uint64_t commit, SteadyTime deadline, std::function<void()> wake) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  waiters_.push_back({commit, deadline, std::move(wake)});
  ArmLocked();
}

void FeedContext::ArmLocked() {
  if (std::exchange(armed_, true)) return;
  timer_.expires_after(kFeedTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Tick();
  });
}

void FeedContext::Tick() {
  const uint64_t newest = engine.last_commit();
  const SteadyTime now = clock.Steady();
  std::vector<Waiter> woken;
  {
    absl::MutexLock lock(&mutex_);
    armed_ = false;
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (waiter.commit >= newest && waiter.deadline > now) return false;
      woken.push_back(std::move(waiter));
      return true;
    });
    if (!waiters_.empty() && !stopped_) ArmLocked();
  }
  for (Waiter& waiter : woken) Post(std::move(waiter.wake));
}

void FeedContext::Stop() {
  std::vector<Waiter> dropped;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    timer_.cancel();
    dropped.swap(waiters_);
  }
  pool_.stop();
  pool_.join();
}

}  // namespace hookd
