#include "dispatcher/engine/fair_queue.h"

#include "base/check.h"

namespace hookd {

void FairQueue::Push(uint64_t subscriber, EndpointId endpoint) {
  std::list<EndpointId>& ready = ready_[subscriber];
  if (ready.empty()) turns_.push_back(subscriber);
  ready.push_back(endpoint);
}

EndpointId FairQueue::Pop() {
  HOOKD_CHECK(!turns_.empty(), "nobody's turn");
  const auto subscriber = ready_.find(turns_.front());
  const EndpointId endpoint = subscriber->second.front();
  subscriber->second.pop_front();
  if (subscriber->second.empty()) {
    ready_.erase(subscriber);
    turns_.pop_front();
  } else {
    turns_.splice(turns_.end(), turns_, turns_.begin());
  }
  return endpoint;
}

}  // namespace hookd
