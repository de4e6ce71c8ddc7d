// How much receivers may send, and how long one may keep its shard. libcurl 7.88.1 reads an HTTP/2
// connection, and OpenSSL a TLS one, until nothing is there any more, without a callback for what carries
// nothing: a flood of frames or key updates would keep the thread for as long as it lasts.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace hookd {

// On one connection within one exchange, frames and all; some four times what kMaxHeaderBytes and
// kDrainedBodyBytes leave of an answer. What goes on beyond it is shut down: within kGuardPatience if libcurl
// does not return meanwhile, else by the next look at all of them.
inline constexpr uint64_t kMaxReceivedBytes = 512 * 1024;

inline constexpr absl::Duration kGuardPatience = absl::Milliseconds(10);
// TLS key updates cost a thousand times what other bytes do. A socket that has kept libcurl from returning
// for so much of the processor's time may bring so many bytes.
inline constexpr std::chrono::milliseconds kGuardProcessorTime{30};
inline constexpr uint64_t kMaxCostlyBytes = 64 * 1024;  // and between two exchanges, where nothing is to come
inline constexpr uint64_t kGuardLooks = 10;  // of so many kGuardPatience, one looks at all of them anyway

// Of one loop, whose thread calls everything but the destructor. A thread of its own watches, and sleeps
// while there is nothing to do.
class ReceiveGuard {
 public:
  ReceiveGuard();
  ~ReceiveGuard();
  ReceiveGuard(const ReceiveGuard&) = delete;
  ReceiveGuard& operator=(const ReceiveGuard&) = delete;

  // An exchange begins on this socket; is over, and the connection is kept. The next one's first read comes
  // before its Begin: who talks meanwhile is looked at all the same.
  void Begin(int socket);
  void Rest(int socket);
  // Before the socket is closed.
  void End(int socket);
  // Around whatever may read from them; `socket`: from that one alone, -1 = it is not known which.
  void Enter(int socket);
  void Leave();

 private:
  struct Watched {
    ino_t inode = 0;     // of the socket: its number may have become another's
    uint64_t bytes = 0;  // that had come as the exchange began, or ended
    bool resting = false;
  };
  void Run();
  void Watch(int socket, bool resting);
  void Look(bool held, bool costly) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::CondVar changed_;
  absl::flat_hash_map<int, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  int read_ ABSL_GUARDED_BY(mutex_) = -1;     // while busy: the socket
  clockid_t loop_ ABSL_GUARDED_BY(mutex_){};  // of the thread that entered, which may be gone by now
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t entered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;  // from the first exchange on
};

}  // namespace hookd
