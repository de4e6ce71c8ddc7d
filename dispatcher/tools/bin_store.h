// Request bins: what was sent to a URL of hookd's own, kept in memory for people to look at.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxBins = 100;
inline constexpr size_t kMaxBinRequests = 200;             // of one bin; the oldest go
inline constexpr size_t kMaxBinBytes = 4 * 1024 * 1024;    // likewise
inline constexpr size_t kMaxBinsBytes = 64 * 1024 * 1024;  // of all bins; the oldest of the bin written to go
inline constexpr size_t kMaxBinBodyBytes = 1024 * 1024 + 64 * 1024;  // of one request: a payload, or a batch
inline constexpr size_t kMaxBinReads = 32;                           // requests that are being received
inline constexpr size_t kMaxBinWaiting = 256;                        // wakes of one bin; then all are woken
inline constexpr size_t kMaxCaptures = 64;                           // bins of endpoints, while they capture
inline constexpr Millis kMinBinLifetime{60'000};
inline constexpr Millis kMaxBinLifetime{24LL * 3'600'000};
inline constexpr Millis kDefaultBinLifetime{3'600'000};
inline constexpr Millis kBinAfterCapture{3'600'000};  // how long a capture's bin stays

struct CapturedRequest {
  uint64_t number = 0;  // from 1, without gaps; the store sets it, and the time
  WallMs time_ms = 0;
  std::string method;
  std::string target;
  std::string remote_address;   // empty = it was not sent over the network
  std::vector<Header> headers;  // `secret`: masked, without a value
  std::string body;
  uint64_t body_bytes = 0;  // as they came; more than `body` has: it was too large
  int status = 0;           // answered; 0 = it was not sent over the network
};
using CapturedPtr = std::shared_ptr<const CapturedRequest>;

struct BinView {
  std::string id;
  int status = 200;
  WallMs created_ms = 0;
  WallMs expires_ms = 0;
  size_t requests = 0;
  size_t bytes = 0;
  uint64_t dropped = 0;
  uint64_t newest = 0;  // number of the newest request ever; 0 = none came
  EndpointId endpoint;  // 0 = it was made by itself
};

// "bin_" and 40 hex digits, of 160 random bits.
std::string NewBinId();

// Thread-safe; never blocks for long.
class BinStore {
 public:
  explicit BinStore(const Clock& clock) : clock_(clock) {}

  // RESOURCE_EXHAUSTED: kMaxBins are there.
  absl::StatusOr<BinView> Create(int status, Millis lifetime);
  // The bin of an endpoint's running capture, made if it is not there. Values of the endpoint's secret
  // headers are masked in what comes. `status` 0: as it is, or what the endpoint takes for a success. When
  // there are kMaxBins, the one that would go first makes room.
  BinView ForCapture(const Endpoint& endpoint, int status = 0);
  // As ForCapture, of one that begins: bins of the endpoint's earlier captures make room, and no others.
  // RESOURCE_EXHAUSTED: kMaxBins are there.
  absl::StatusOr<BinView> ForNewCapture(const Endpoint& endpoint, int status);
  // Bins of captures that run.
  size_t Captures();
  // It stays for kBinAfterCapture.
  void CaptureEnded(const std::string& id);
  absl::StatusOr<BinView> Get(const std::string& id);
  absl::Status Delete(const std::string& id);

  // One of kMaxBinReads places to receive a request in; null = all are taken.
  std::shared_ptr<void> TakeRead();
  // Keeps the request and gives what to answer; nullopt = there is no such bin. Masks; `status` 0 stays 0.
  std::optional<int> Keep(const std::string& id, CapturedRequest request);
  // What it answers.
  std::optional<int> StatusOf(const std::string& id);

  // Newest first, numbers below `before` (0 = all).
  absl::StatusOr<std::vector<CapturedPtr>> List(const std::string& id, uint64_t before, size_t limit);
  // NOT_FOUND also of one that was dropped.
  absl::StatusOr<CapturedPtr> Read(const std::string& id, uint64_t number);
  // The oldest that is kept with a greater number. Null: none is yet, and `wake` runs once, on any thread,
  // not inside this call: when one comes, when the bin goes, or for nothing, when too many wait.
  absl::StatusOr<CapturedPtr> Next(const std::string& id, uint64_t after, std::function<void()> wake);

 private:
  struct Bin {
    BinView view;
    std::vector<std::string> masked;
    std::deque<CapturedPtr> requests;
    std::vector<std::function<void()>> waiting;
    WallMs capture_until_ms = 0;
  };
  using Wakes = std::vector<std::function<void()>>;

  // Null = none, or it has expired.
  Bin* Find(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Bin& Insert(std::string id, WallMs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Removes it; its watchers are to be woken without the lock.
  void Remove(std::map<std::string, Bin>::iterator it, Wakes& wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveExpired(WallMs now, Wakes& wakes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropOldest(Bin& bin) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  absl::Mutex mutex_;
  std::map<std::string, Bin> bins_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  const std::shared_ptr<std::atomic<size_t>> reads_ = std::make_shared<std::atomic<size_t>>(0);
};

}  // namespace hookd
