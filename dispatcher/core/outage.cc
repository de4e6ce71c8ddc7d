#include "dispatcher/core/outage.h"

#include <iterator>

namespace hookd {

bool Connected(ErrorKind error, int status) {
  switch (error) {
    case ErrorKind::kName:
    case ErrorKind::kConnect:
    case ErrorKind::kLocal:
    case ErrorKind::kToken:
      return false;
    case ErrorKind::kTimeout:
      return status != 0;
    case ErrorKind::kNone:
    case ErrorKind::kStatus:
    case ErrorKind::kTls:
    case ErrorKind::kProtocol:
    case ErrorKind::kResponseTooBig:
    case ErrorKind::kRefusedAddress:  // says nothing of the network
      break;
  }
  return true;
}

void OutageDetector::Record(uint64_t host, bool connected, SteadyTime now) {
  while (!hosts_.empty() && now - hosts_.front().tried > kActiveWindow) ForgetOldest();
  const auto known = by_host_.find(host);
  if (known == by_host_.end()) {
    if (hosts_.size() == kMaxHosts) ForgetOldest();
    hosts_.push_back({host, connected, now});
    by_host_[host] = std::prev(hosts_.end());
  } else {
    hosts_.splice(hosts_.end(), hosts_, known->second);
    Host& entry = hosts_.back();
    if (!entry.connected) --unreached_;
    entry.connected = connected;
    entry.tried = now;
  }
  if (!connected) ++unreached_;
}

bool OutageDetector::Suspended(SteadyTime now) const {
  size_t active = hosts_.size();
  size_t unreached = unreached_;
  for (const Host& host : hosts_) {
    if (now - host.tried <= kActiveWindow) break;
    --active;
    if (!host.connected) --unreached;
  }
  return active >= kMinHosts && unreached > active / 2;
}

void OutageDetector::ForgetOldest() {
  if (!hosts_.front().connected) --unreached_;
  by_host_.erase(hosts_.front().host);
  hosts_.pop_front();
}

}  // namespace hookd
