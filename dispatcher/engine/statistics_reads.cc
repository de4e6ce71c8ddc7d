#include "dispatcher/engine/statistics_reads.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace hookd {
namespace {

constexpr size_t kEndpointPage = 1000;  // of a subscriber's endpoints, in one read

// When the lane's oldest pending delivery was made; 0 = none is pending. Deliveries of a lane are made in the
// order of their sequences, and none that is pending is queued below the cursor.
absl::StatusOr<WallMs> OldestPending(const DeliveryStore& store, const StoredEndpoint& endpoint) {
  const LaneState& lane = endpoint.lane;
  const EndpointId id = endpoint.endpoint->id;
  WallMs oldest = 0;
  Sequence sequence = 0;
  if (lane.queued > 0) {
    ASSIGN_OR_RETURN(const std::vector<QueuedDelivery> queued, store.ReadQueue(id, lane.cursor, 1, 1));
    if (!queued.empty()) {
      sequence = queued[0].sequence;
      oldest = AcceptedMs(queued[0].event->id, queued[0].remade);
    }
  }
  if (lane.parked > 0) {
    ASSIGN_OR_RETURN(const std::vector<ParkedDelivery> parked, store.ReadParked(id, 1));
    if (!parked.empty() && (sequence == 0 || parked[0].sequence < sequence)) {
      oldest = AcceptedMs(parked[0].event, parked[0].remade);
    }
  }
  return oldest;
}

absl::Status AddPending(const DeliveryStore& store, const StoredEndpoint& endpoint, Statistics& statistics) {
  if (endpoint.lane.pending() == 0) return absl::OkStatus();
  statistics.pending += endpoint.lane.pending();
  ASSIGN_OR_RETURN(const WallMs oldest, OldestPending(store, endpoint));
  if (oldest != 0 && (statistics.oldest_pending_ms == 0 || oldest < statistics.oldest_pending_ms)) {
    statistics.oldest_pending_ms = oldest;
  }
  return absl::OkStatus();
}

// Calls `take` for each endpoint of the subscriber.
absl::Status ForEachEndpoint(const DeliveryStore& store, const std::string& subscriber_id,
                             const std::function<absl::Status(const StoredEndpoint&)>& take) {
  EndpointId after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<StoredEndpoint> page,
                     store.ListEndpoints(subscriber_id, after, kEndpointPage));
    for (const StoredEndpoint& endpoint : page) RETURN_IF_ERROR(take(endpoint));
    if (page.size() < kEndpointPage) return absl::OkStatus();
    after = page.back().endpoint->id;
  }
}

uint64_t ScoreOf(TopBy by, const Figures& figures) {
  switch (by) {
    case TopBy::kAttempts:
      return figures.attempts;
    case TopBy::kFailures:
      return figures.attempts - figures.succeeded;
    case TopBy::kLatency:
      return static_cast<uint64_t>(figures.PercentileUs(0.50));
    case TopBy::kPending:
      break;
  }
  return 0;
}

}  // namespace

absl::StatusOr<Statistics> ReadEndpointStatistics(const StatisticsContext& context, EndpointId id,
                                                  StatWindow window) {
  ASSIGN_OR_RETURN(const StoredEndpoint endpoint, context.store.ReadEndpoint(id));
  Figures figures;
  context.table_of(id).AddTo(id, window, context.now, figures);
  Statistics statistics = figures.ToStatistics();
  RETURN_IF_ERROR(AddPending(context.store, endpoint, statistics));
  return statistics;
}

absl::StatusOr<Statistics> ReadSubscriberStatistics(const StatisticsContext& context, const std::string& id,
                                                    StatWindow window) {
  RETURN_IF_ERROR(context.store.ReadSubscriber(id).status());
  Figures figures;
  Statistics pending;
  RETURN_IF_ERROR(ForEachEndpoint(context.store, id, [&](const StoredEndpoint& endpoint) {
    const EndpointId one = endpoint.endpoint->id;
    context.table_of(one).AddTo(one, window, context.now, figures);
    return AddPending(context.store, endpoint, pending);
  }));
  Statistics statistics = figures.ToStatistics();
  statistics.pending = pending.pending;
  statistics.oldest_pending_ms = pending.oldest_pending_ms;
  return statistics;
}

absl::StatusOr<std::vector<TopEndpoint>> ReadTopEndpoints(const StatisticsContext& context, TopBy by,
                                                          StatWindow window, size_t limit,
                                                          const std::string& subscriber_id) {
  std::vector<std::pair<uint64_t, EndpointId>> scores;
  const auto add = [&](EndpointId id, const StoredEndpoint* stored) {
    uint64_t score = 0;
    if (by == TopBy::kPending) {
      if (stored != nullptr) {
        score = stored->lane.pending();
      } else if (const absl::StatusOr<StoredEndpoint> read = context.store.ReadEndpoint(id); read.ok()) {
        score = read->lane.pending();
      }
    } else {
      Figures figures;
      context.table_of(id).AddTo(id, window, context.now, figures);
      score = ScoreOf(by, figures);
    }
    if (score > 0) scores.emplace_back(score, id);
  };
  if (subscriber_id.empty()) {
    for (const std::unique_ptr<StatisticsTable>& table : context.tables) {
      for (const EndpointId id : table->Endpoints()) add(id, nullptr);
    }
  } else {
    RETURN_IF_ERROR(context.store.ReadSubscriber(subscriber_id).status());
    RETURN_IF_ERROR(ForEachEndpoint(context.store, subscriber_id, [&](const StoredEndpoint& endpoint) {
      add(endpoint.endpoint->id, &endpoint);
      return absl::OkStatus();
    }));
  }
  std::sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });

  std::vector<TopEndpoint> top;
  for (const auto& [score, id] : scores) {
    if (top.size() >= limit) break;
    const absl::StatusOr<StoredEndpoint> stored = context.store.ReadEndpoint(id);
    if (absl::IsNotFound(stored.status())) continue;  // deleted meanwhile
    if (!stored.ok()) return stored.status();
    ASSIGN_OR_RETURN(Statistics statistics, ReadEndpointStatistics(context, id, window));
    top.push_back({stored->endpoint, statistics});
  }
  return top;
}

}  // namespace hookd
