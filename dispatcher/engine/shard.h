// One thread that delivers: an io_context, a transport, and the lanes of the endpoints that hash to it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "dispatcher/engine/certificate_watch.h"
#include "dispatcher/engine/committer.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/ledger.h"
#include "dispatcher/engine/scheduler.h"
#include "dispatcher/engine/statistics.h"
#include "dispatcher/telemetry/telemetry.h"
#include "dispatcher/transport/http_transport.h"
#include "storage/delivery_store.h"

namespace hookd {

// What shards share with each other; outlives them.
struct ShardContext {
  DeliveryStore& store;
  const Clock& clock;
  Telemetry& telemetry;
  Committer& committer;
  boost::asio::thread_pool& readers;      // for reads that may block
  std::function<void(EndpointId)> sweep;  // a deleted lane is at rest; any thread
  uint32_t epoch = 1;
  std::string user_agent;
  StatisticsTable* statistics = nullptr;  // this shard's
  CaptureSink* captures = nullptr;
  CertificateWatch* certificates = nullptr;
};

class Shard final : private SchedulerHost {
 public:
  Shard(const SchedulerLimits& limits, ShardContext context, const Engine::TransportFactory& transports);
  ~Shard() override;

  void Start();
  // Joins the thread; what is in flight stays unrecorded. Idempotent.
  void Stop();

  // From any thread.
  void Tell(ShardNews news);
  void Post(std::function<void()> task);
  // After a start, before Start(): what the store remembers.
  void Recover(const Operations& operations, const std::vector<DeliveryStore::ActiveLane>& lanes);
  // Starts nothing more; runs `at_rest` on the shard's thread once nothing is in flight or
  // unrecorded.
  void Quiesce(std::function<void()> at_rest);
  // Ends what is still in flight as LOCAL.
  void CancelAll();

  // From any thread; `done` runs on the shard's thread, and never after Stop or a failed commit: it must not
  // block.
  // Ends a pending delivery without an attempt; any number at a time. `delivery`: as the store showed it, at
  // any time. OK = it is on disk. FAILED_PRECONDITION: in flight, or not pending (any more), its endpoint
  // deleted; UNAVAILABLE: shutting down, or too busy. `by`: the person whose order it is, for the audit log.
  void EndDelivery(Delivery delivery, DeliveryState state, EndReason reason,
                   std::function<void(absl::Status)> done, std::optional<AuditOrigin> by = std::nullopt);
  // See Lane::Retry.
  void RetryDelivery(DeliveryId id, std::function<void(absl::StatusOr<LanePosition>)> done);
  // nullopt = it is not pending, as far as its lane has been told.
  void WhyWaiting(DeliveryId id, std::function<void(std::optional<Waiting>)> done);

  // What the last count of the lanes found; starts the next one unless one is under way. A count never holds
  // up the shard: it goes on between other work.
  LaneGauges Survey();
  // Counts that ended: while it grows, the shard's thread runs.
  uint64_t surveys() const { return surveys_; }
  uint64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  struct Ending;

  void StartAttempt(Lane& lane, Work work) override;
  void Settle(Lane& lane, LaneStep step) override;
  void ReadParked(EndpointId endpoint) override;
  void ReadQueue(EndpointId endpoint, Sequence from) override;
  void ReadEvent(EndpointId endpoint, Sequence sequence, EventId event) override;
  void LaneAtRest(EndpointId endpoint) override;
  void Captured(const std::shared_ptr<const Endpoint>& endpoint) override;

  // Puts the endpoint's bin in the place of its URL, if a capture says so; then gives the bin's id.
  std::string Divert(const Endpoint& endpoint, WallMs now, HttpRequest& request);
  // `bin`: where it went instead; empty = to the URL.
  void AttemptEnded(EndpointId endpoint, const Work& work, std::shared_ptr<const Endpoint> settings,
                    const std::string& bin, WallMs started, HttpResult result);
  // Runs `then` here once the lanes know of everything that is on disk now.
  void AfterNews(std::function<void(absl::Status)> then);
  void WhenParkedKnown(EndpointId endpoint, std::function<void()> then);
  void ParkedKnown(EndpointId endpoint);
  void TryEnd(std::shared_ptr<Ending> ending);
  void EndNow(const std::shared_ptr<Ending>& ending, const std::shared_ptr<const Event>& row);
  void ReadRow(const std::shared_ptr<Ending>& ending);
  // It is on disk.
  void Ended(EndpointId endpoint, Sequence sequence);
  void SurveySlice();
  // Runs what is due, and sets the timer for what comes next.
  void Pump();
  // Runs `read` on the readers' pool and `answer` with its value back here; on an error, tries again later.
  template <typename T>
  void Read(EndpointId endpoint, std::function<absl::StatusOr<T>()> read, std::function<void(T)> answer);

  ShardContext context_;
  const size_t read_rows_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  std::optional<SteadyTime> armed_;  // when timer_ fires
  Scheduler scheduler_;
  std::unique_ptr<HttpTransport> transport_;
  std::mt19937_64 random_;
  std::function<void()> at_rest_;
  absl::flat_hash_map<EndpointId, std::vector<std::function<void()>>> waiting_for_parked_;
  // Ends by order that are not on disk yet.
  absl::flat_hash_map<std::pair<EndpointId, Sequence>, std::function<void(absl::Status)>> endings_;
  const Ending* ordered_ = nullptr;  // whose end is settled at this moment
  std::atomic<uint64_t> in_flight_{0};
  std::atomic<bool> surveying_{false};
  std::atomic<uint64_t> surveys_{0};
  std::vector<EndpointId> survey_left_;  // of the count under way
  LaneGauges survey_;                    // likewise
  absl::Mutex surveyed_mutex_;
  LaneGauges surveyed_ ABSL_GUARDED_BY(surveyed_mutex_);
  std::thread thread_;
};

}  // namespace hookd
