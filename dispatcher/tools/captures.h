// Captures of endpoints: puts a bin in the place of an endpoint's URL. What says so is stored with the
// endpoint; here is the cursor that shows held deliveries.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/tools/bin_store.h"
#include "storage/delivery_store.h"

namespace hookd {

// Of one read of a captured lane; the next one follows after kCapturePause.
inline constexpr size_t kCaptureRows = 64;
inline constexpr size_t kCaptureBytes = 1024 * 1024;
inline constexpr Millis kCapturePause{250};
// Deliveries of one lane that wait for a retry, which are shown; more than the default lets a lane have.
inline constexpr size_t kCaptureParked = 10'000;

// Thread-safe; has a thread of its own, which reads the disk. `bins`, `store` and `clock` outlive it.
class Captures final : public CaptureSink {
 public:
  // `address`: where hookd's own HTTP port is reached from this machine, "http://127.0.0.1:7071".
  Captures(BinStore& bins, const DeliveryStore& store, const Clock& clock, std::string user_agent,
           std::string address);
  ~Captures() override;

  // "http://127.0.0.1:7071/bin/bin_..."
  std::string UrlOf(const std::string& bin) const;

  std::string BinUrl(const Endpoint& endpoint) override;
  // Shows what is pending, each delivery once per capture, in order: it is read from where the cursor is.
  void Pending(const std::shared_ptr<const Endpoint>& endpoint) override;

  // Joins the thread. Idempotent.
  void Stop();

 private:
  struct Session {
    explicit Session(boost::asio::io_context& io) : pause(io) {}
    std::shared_ptr<const Endpoint> endpoint;  // its newest settings
    boost::asio::steady_timer pause;
    bool running = false;  // a step is posted, or waits for `pause`
    bool again = false;    // told something meanwhile
    // The thread's.
    bool begun = false;
    std::vector<ParkedDelivery> parked;  // of those, not shown yet: from `shown` on
    size_t shown = 0;
    Sequence next = 0;  // of the queue
  };
  using SessionPtr = std::shared_ptr<Session>;

  // On the thread: shows one page, and posts the next one.
  void Step(const SessionPtr& session);
  // False: nothing was left.
  bool ShowPage(Session& session, const Endpoint& endpoint);
  void Show(const Endpoint& endpoint, const std::shared_ptr<const Event>& event, uint32_t attempt);

  BinStore& bins_;
  const DeliveryStore& store_;
  const Clock& clock_;
  const std::string user_agent_;
  const std::string address_;
  boost::asio::io_context io_{1};  // outlives the sessions, whose timers are its
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  absl::Mutex mutex_;
  // By bin; those whose time is over go with the next that begins.
  std::map<std::string, SessionPtr> sessions_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hookd
