// What people outside hookd know: what was acknowledged to the publisher, and what came to the receiver.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "base/ids.h"
#include "base/model.h"
#include "tests/fakes/fake_transport.h"

namespace hookd::fault {

// The payload of the `n`-th event; every tenth is larger than a blob's threshold.
std::string PayloadOf(uint64_t n);
// nullopt: it is no payload of ours, or differs from what was published in any byte.
std::optional<uint64_t> NumberOf(const std::string& payload);
inline constexpr size_t kKeys = 3;
inline std::string OrderingKeyOf(uint64_t n) { return std::string(1, static_cast<char>('a' + n % kKeys)); }

struct Acknowledged {
  EventId event;
  uint32_t deliveries = 0;
};

// Thread-safe. What happens after Cut and before Begin is nobody's memory: the power was gone.
class Ledger {
 public:
  struct Lane {
    DeliveryMode mode = DeliveryMode::kOrdered;
    size_t in_flight = 1;  // at most
  };

  explicit Ledger(uint64_t seed) : random_(seed) {}

  // Every entry is a line there too, for a ledger in another process to read; -1 = nowhere.
  void SetWitness(int fd);
  // Takes in a line of such a ledger. False: it is none.
  bool Read(const std::string& line);

  void AddLane(const std::string& url, Lane lane);

  void Begin();
  void Cut();
  bool cut() const;

  // Of an event that is published for the first time.
  uint64_t TakeNumber();
  // `duplicate`: an earlier publish of it was kept.
  void Answered(uint64_t n, const Acknowledged& acknowledged, bool duplicate);

  // What the receiver answers; nullopt = nothing any more.
  std::optional<int> Received(const testing::SentRequest& request);
  // Of every ten answers so many are failures.
  void SetFailures(unsigned of_ten);

  uint64_t numbers() const;
  std::map<uint64_t, Acknowledged> acknowledged() const;
  std::vector<uint64_t> unanswered() const;
  size_t lives() const;
  size_t arrivals() const;
  size_t repeated() const;
  void Fault(std::string text);
  std::vector<std::string> faults() const;

  // Once nothing is pending: all that was acknowledged has arrived everywhere.
  void JudgeTheEnd();

 private:
  struct Arrival {
    Lane lane;
    std::map<uint64_t, size_t> succeeded_in;  // by number: the life that its newest success came in
    std::map<uint64_t, uint64_t> sequences;   // of each number
    std::map<std::string, uint64_t> last;     // sequence, by ordering key
    // By the life that it had come in: keys of what came again, or numbers of a PARALLEL lane.
    std::map<size_t, std::set<std::string>> repeated_of;
  };
  void Tell(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AnsweredLocked(uint64_t n, const Acknowledged& acknowledged, bool duplicate)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FaultLocked(std::string text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Arrived(Arrival& lane, const std::string& url, uint64_t n, uint64_t sequence, bool success)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  int witness_ ABSL_GUARDED_BY(mutex_) = -1;
  bool cut_ ABSL_GUARDED_BY(mutex_) = true;
  size_t lives_ ABSL_GUARDED_BY(mutex_) = 0;
  unsigned failures_of_ten_ ABSL_GUARDED_BY(mutex_) = 2;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t repeated_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Acknowledged> acknowledged_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Arrival> lanes_ ABSL_GUARDED_BY(mutex_);  // by URL
  std::vector<std::string> faults_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hookd::fault
