// A receiver inside the benchmark: counts requests, and reads from them when they were published. Cheap, as
// it shares the cores with what is measured.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
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
  enum class Manner {
    kAnswers,    // 204 at once
    kBlackHole,  // it accepts, reads and never answers
    kSlow,       // 204 after 29 s
    kRefuses,    // 503 at once
    kEndless,    // 200 at once, and a body that does not end
  };

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
  struct Connection {
    std::string kept;  // what came of the request under way
    uint64_t number = 0;
    bool endless = false;  // its body is being sent
  };
  struct Late {
    double due = 0;
    int fd = -1;
    uint64_t number = 0;  // of the connection: the descriptor may be another's by then
  };

  void Run();
  void AnswerLate(double now);
  void Accept(int listener);
  // False: the connection has ended.
  bool Receive(int fd);
  bool AnswerTo(int fd, Connection& connection, double now);
  void Drop(int fd);
  void Record(const char* body, size_t size, double now);

  const Manner manner_;
  std::vector<std::string> hosts_;
  uint16_t port_ = 0;
  std::vector<int> listeners_;
  int epoll_ = -1;
  int stop_ = -1;
  // Of the thread alone.
  std::unordered_map<int, Connection> connections_;
  uint64_t last_number_ = 0;
  std::deque<Late> late_;  // by when they are due

  std::atomic<uint64_t> requests_ = 0;
  mutable absl::Mutex mutex_;
  double first_arrival_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<double> latencies_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hookd::bench
