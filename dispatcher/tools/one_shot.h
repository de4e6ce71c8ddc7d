// Requests outside of any queue: one exchange each, for people who set a webhook up and for probes. They
// touch no lane, no rate and no health.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "dispatcher/transport/http_transport.h"

namespace hookd {

inline constexpr size_t kMaxOneShots = 16;        // in flight
inline constexpr size_t kMaxOneShotsQueued = 64;  // wait for one of them to end

class OneShot {
 public:
  using Callback = HttpTransport::Callback;
  virtual ~OneShot() = default;

  // Over a connection of its own. `done` runs once, on a thread of the runner: it must not block. Its timeout
  // begins when its turn comes. RESOURCE_EXHAUSTED: too many wait; UNAVAILABLE: shutting down; `done` never
  // runs then. Any thread, also inside `done`.
  virtual absl::Status Send(HttpRequest request, Callback done) = 0;
};

// A transport of its own on a thread of its own.
class OneShotRunner final : public OneShot {
 public:
  using TransportFactory = std::function<std::unique_ptr<HttpTransport>(boost::asio::io_context&)>;

  explicit OneShotRunner(const TransportFactory& transports);
  ~OneShotRunner() override;

  absl::Status Send(HttpRequest request, Callback done) override;
  // What is left ends as LOCAL ("shutting down"), its callbacks before this returns. Not from a callback.
  // Idempotent.
  void Stop();

 private:
  struct Waiting {
    HttpRequest request;
    Callback done;
  };
  // On the thread.
  void Take(Waiting one);
  void Start(Waiting one);
  void End();

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;  // in flight, queued, or on their way to the thread
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<HttpTransport> transport_;
  // The thread's.
  size_t in_flight_ = 0;
  std::deque<Waiting> queue_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hookd
