// A receiver inside the benchmark: counts requests, and reads from them when they were published. Cheap, as
// it shares the cores with what is measured.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace hookd::bench {

// How a payload that carries its publish time begins; nanoseconds of the steady clock follow.
inline constexpr char kStampPrefix[] = "{\"t\":";

class Sink {
 public:
  enum class Manner { kAnswers, kBlackHole };  // 204 at once; or it accepts, reads and never answers

  // Listens on one port of `hosts` loopback addresses: each is a host of its own to who sends.
  Sink(size_t hosts, Manner manner);
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Of host `i`, counted round.
  std::string Url(size_t i) const;

  // Thread-safe. All since the last Forget.
  uint64_t requests() const { return requests_; }
  double FirstArrival() const;  // of the steady clock, in seconds; 0 = none yet
  std::vector<double> Latencies()
      const;  // from publish to here, in ms, of the payloads that carry their time
  void Forget();

 private:
  void Run();
  void Accept(int listener);
  // False: the connection has ended.
  bool Receive(int fd);
  void Record(const char* body, size_t size, double now);

  const Manner manner_;
  std::vector<std::string> hosts_;
  uint16_t port_ = 0;
  std::vector<int> listeners_;
  int epoll_ = -1;
  int stop_ = -1;
  std::unordered_map<int, std::string>
      connections_;  // what came of the request under way; of the thread alone

  std::atomic<uint64_t> requests_ = 0;
  mutable absl::Mutex mutex_;
  double first_arrival_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> latencies_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hookd::bench
