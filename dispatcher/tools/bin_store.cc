#include "dispatcher/tools/bin_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>

#include "base/concat.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

constexpr size_t kIdBytes = 20;
constexpr size_t kRequestOverhead = 512;  // structs, the allocator

absl::Status NoBin(const std::string& id) {
  return absl::NotFoundError(Concat("no bin ", id, ": bins end with their time, and with a restart"));
}

size_t CostOf(const CapturedRequest& request) {
  size_t bytes = kRequestOverhead + request.method.size() + request.target.size() + request.body.size();
  for (const Header& header : request.headers) bytes += 64 + header.name.size() + header.value.size();
  return bytes;
}

int SuccessOf(const DeliveryPolicy& policy) {
  if (Judge(policy, ErrorKind::kNone, 200) == ErrorKind::kNone || policy.success.empty()) return 200;
  return policy.success.front().first;
}

void Run(std::vector<std::function<void()>> wakes) {
  for (const std::function<void()>& wake : wakes) wake();
}

}  // namespace

std::string NewBinId() { return Concat("bin_", absl::BytesToHexString(GenerateKey().substr(0, kIdBytes))); }

BinStore::Bin* BinStore::Find(const std::string& id) {
  const auto it = bins_.find(id);
  return it == bins_.end() || it->second.view.expires_ms <= clock_.Wall() ? nullptr : &it->second;
}

BinStore::Bin& BinStore::Insert(std::string id, WallMs now) {
  Bin& bin = bins_[id];
  bin.view.id = std::move(id);
  bin.view.created_ms = now;
  return bin;
}

void BinStore::Remove(std::map<std::string, Bin>::iterator it, Wakes& wakes) {
  Bin& bin = it->second;
  std::move(bin.waiting.begin(), bin.waiting.end(), std::back_inserter(wakes));
  bytes_ -= bin.view.bytes;
  bins_.erase(it);
}

void BinStore::RemoveExpired(WallMs now, Wakes& wakes) {
  for (auto it = bins_.begin(); it != bins_.end();) {
    const auto one = it++;
    if (one->second.view.expires_ms <= now) Remove(one, wakes);
  }
}

absl::StatusOr<BinView> BinStore::Create(int status, Millis lifetime) {
  Wakes wakes;
  BinView view;
  {
    absl::MutexLock lock(&mutex_);
    const WallMs now = clock_.Wall();
    RemoveExpired(now, wakes);
    if (bins_.size() >= kMaxBins) {
      return absl::ResourceExhaustedError(Concat("there are ", bins_.size(), " bins: delete one of them"));
    }
    Bin& bin = Insert(NewBinId(), now);
    bin.view.status = status;
    bin.view.expires_ms = now + lifetime.count();
    view = bin.view;
  }
  Run(std::move(wakes));
  return view;
}

BinView BinStore::ForCapture(const Endpoint& endpoint, int status) {
  Wakes wakes;
  BinView view;
  {
    absl::MutexLock lock(&mutex_);
    const WallMs now = clock_.Wall();
    const Capture& capture = *endpoint.capture;
    Bin* bin = Find(capture.bin);
    if (bin == nullptr) {
      RemoveExpired(now, wakes);
      if (bins_.size() >= kMaxBins) {
        Remove(std::min_element(bins_.begin(), bins_.end(),
                                [](const auto& a, const auto& b) {
                                  return a.second.view.expires_ms < b.second.view.expires_ms;
                                }),
               wakes);
      }
      bin = &Insert(capture.bin, now);
      bin->view.status = SuccessOf(endpoint.policy);
      bin->view.endpoint = endpoint.id;
    }
    if (status != 0) bin->view.status = status;
    bin->capture_until_ms = capture.until_ms;
    bin->view.expires_ms = capture.until_ms + kBinAfterCapture.count();
    bin->masked.clear();
    for (const Header& header : endpoint.headers) {
      if (header.secret) bin->masked.push_back(header.name);
    }
    if (endpoint.authorization.basic != nullptr) bin->masked.emplace_back("Authorization");
    view = bin->view;
  }
  Run(std::move(wakes));
  return view;
}

absl::StatusOr<BinView> BinStore::ForNewCapture(const Endpoint& endpoint, int status) {
  Wakes wakes;
  bool room = false;
  {
    absl::MutexLock lock(&mutex_);
    const WallMs now = clock_.Wall();
    RemoveExpired(now, wakes);
    for (auto it = bins_.begin(); it != bins_.end() && bins_.size() >= kMaxBins;) {
      const auto one = it++;
      if (one->second.view.endpoint == endpoint.id && one->second.capture_until_ms <= now) Remove(one, wakes);
    }
    room = bins_.size() < kMaxBins;
  }
  Run(std::move(wakes));
  if (room) return ForCapture(endpoint, status);
  return absl::ResourceExhaustedError(Concat("there are ", kMaxBins, " bins: delete one of them"));
}

size_t BinStore::Captures() {
  absl::MutexLock lock(&mutex_);
  const WallMs now = clock_.Wall();
  return static_cast<size_t>(std::count_if(
      bins_.begin(), bins_.end(), [now](const auto& one) { return one.second.capture_until_ms > now; }));
}

void BinStore::CaptureEnded(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  Bin* bin = Find(id);
  if (bin == nullptr) return;
  bin->capture_until_ms = 0;
  bin->view.expires_ms = clock_.Wall() + kBinAfterCapture.count();
}

absl::StatusOr<BinView> BinStore::Get(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const Bin* bin = Find(id);
  if (bin == nullptr) return NoBin(id);
  return bin->view;
}

absl::Status BinStore::Delete(const std::string& id) {
  Wakes wakes;
  {
    absl::MutexLock lock(&mutex_);
    if (Find(id) == nullptr) return NoBin(id);
    Remove(bins_.find(id), wakes);
  }
  Run(std::move(wakes));
  return absl::OkStatus();
}

std::shared_ptr<void> BinStore::TakeRead() {
  if (reads_->fetch_add(1) >= kMaxBinReads) {
    reads_->fetch_sub(1);
    return nullptr;
  }
  return {reads_.get(), [reads = reads_](void*) { reads->fetch_sub(1); }};
}

void BinStore::DropOldest(Bin& bin) {
  const size_t cost = CostOf(*bin.requests.front());
  bin.view.bytes -= cost;
  bytes_ -= cost;
  --bin.view.requests;
  ++bin.view.dropped;
  bin.requests.pop_front();
}

std::optional<int> BinStore::Keep(const std::string& id, CapturedRequest request) {
  Wakes wakes;
  int status = 0;
  {
    absl::MutexLock lock(&mutex_);
    const WallMs now = clock_.Wall();
    RemoveExpired(now, wakes);
    Bin* bin = Find(id);
    if (bin == nullptr) return std::nullopt;
    for (Header& header : request.headers) {
      header.secret = std::any_of(bin->masked.begin(), bin->masked.end(), [&](const std::string& name) {
        return absl::EqualsIgnoreCase(name, header.name);
      });
      if (header.secret) header.value.clear();
    }
    status = bin->view.status;
    request.number = ++bin->view.newest;
    request.time_ms = now;
    const size_t cost = CostOf(request);
    while (!bin->requests.empty() &&
           (bin->requests.size() >= kMaxBinRequests || bin->view.bytes + cost > kMaxBinBytes ||
            bytes_ + cost > kMaxBinsBytes)) {
      DropOldest(*bin);
    }
    if (bytes_ + cost > kMaxBinsBytes) {  // the others have it all
      ++bin->view.dropped;
    } else {
      bin->requests.push_back(std::make_shared<const CapturedRequest>(std::move(request)));
      ++bin->view.requests;
      bin->view.bytes += cost;
      bytes_ += cost;
    }
    std::move(bin->waiting.begin(), bin->waiting.end(), std::back_inserter(wakes));
    bin->waiting.clear();
  }
  Run(std::move(wakes));
  return status;
}

std::optional<int> BinStore::StatusOf(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const Bin* bin = Find(id);
  return bin == nullptr ? std::nullopt : std::optional<int>(bin->view.status);
}

absl::StatusOr<std::vector<CapturedPtr>> BinStore::List(const std::string& id, uint64_t before,
                                                        size_t limit) {
  absl::MutexLock lock(&mutex_);
  const Bin* bin = Find(id);
  if (bin == nullptr) return NoBin(id);
  std::vector<CapturedPtr> page;
  for (auto it = bin->requests.rbegin(); it != bin->requests.rend() && page.size() < limit; ++it) {
    if (before == 0 || (*it)->number < before) page.push_back(*it);
  }
  return page;
}

absl::StatusOr<CapturedPtr> BinStore::Read(const std::string& id, uint64_t number) {
  absl::MutexLock lock(&mutex_);
  const Bin* bin = Find(id);
  if (bin == nullptr) return NoBin(id);
  for (const CapturedPtr& request : bin->requests) {
    if (request->number == number) return request;
  }
  return absl::NotFoundError(
      Concat("number: bin ", id, " keeps no request ", number, number > bin->view.newest ? "" : " any more"));
}

absl::StatusOr<CapturedPtr> BinStore::Next(const std::string& id, uint64_t after,
                                           std::function<void()> wake) {
  Wakes stale;
  {
    absl::MutexLock lock(&mutex_);
    Bin* bin = Find(id);
    if (bin == nullptr) return NoBin(id);
    for (const CapturedPtr& request : bin->requests) {
      if (request->number > after) return request;
    }
    if (bin->waiting.size() >= kMaxBinWaiting) stale.swap(bin->waiting);
    bin->waiting.push_back(std::move(wake));
  }
  Run(std::move(stale));
  return nullptr;
}

}  // namespace hookd
