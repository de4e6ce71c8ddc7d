#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/list_query.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_sources.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {

// One page: the sources' rows, merged in the order of the query and looked up as far as they do not say.
class RocksDbStore::Lister {
 public:
  Lister(const RocksDbStore& store, const DeliveryQuery& query, ListOrder order,
         std::optional<ListPosition> after)
      : reader_(store),
        query_(query),
        context_{reader_, query, order, after, ClampedRange(query.accepted_from_ms, query.accepted_before_ms),
                 budget_} {}

  absl::StatusOr<DeliveryPage> List() {
    DeliveryPage page;
    ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<RowSource>> sources, MakeSources(context_));
    std::optional<ListPosition> last;  // looked at, taken or not
    for (;;) {
      ASSIGN_OR_RETURN(RowSource * next, FirstOf(sources));
      if (next == nullptr) return page;
      if (paused_) {
        page.next_position = EncodePosition(query_, context_.order, Behind(next->reached(), last));
        return page;
      }
      if (last && (page.deliveries.size() >= query_.limit || budget_.Spent())) {
        page.next_position = EncodePosition(query_, context_.order, *last);
        return page;
      }
      ASSIGN_OR_RETURN(std::optional<Delivery> delivery, Look(next->row()));
      if (delivery) page.deliveries.push_back(*std::move(delivery));
      last = next->row().at;
      next->Pop();
    }
  }

 private:
  // The source whose row comes next, or (paused_) the one that cannot say whether one of its own does.
  // Null = all have ended.
  absl::StatusOr<RowSource*> FirstOf(const std::vector<std::unique_ptr<RowSource>>& sources) {
    RowSource* first = nullptr;
    for (const std::unique_ptr<RowSource>& source : sources) {
      ASSIGN_OR_RETURN(const RowSource::Have have, source->Peek());
      if (have == RowSource::Have::kEnd) continue;
      const bool pauses = have == RowSource::Have::kPaused;
      // One that pauses has passed the place that it names: a row there is still to be given.
      const bool sooner = first == nullptr || ComesBefore(query_, source->reached(), first->reached()) ||
                          (paused_ && !pauses && source->reached() == first->reached());
      if (!sooner) continue;
      first = source.get();
      paused_ = pauses;
    }
    return first;
  }

  // Of an endpoint, a source that only passed empty buckets knows the bucket alone.
  ListPosition Behind(ListPosition reached, const std::optional<ListPosition>& last) const {
    if (context_.order == ListOrder::kEndpoint && last) {
      const bool further =
          query_.newest_first ? last->sequence < reached.sequence : last->sequence > reached.sequence;
      if (further) reached.sequence = last->sequence;
    }
    return reached;
  }

  // Nullopt = the query does not take it, or it has just gone with its bucket.
  absl::StatusOr<std::optional<Delivery>> Look(ListRow& row) {
    if (row.pending) return LookPending(row.id, *row.pending);
    if (context_.order == ListOrder::kSubscriber) {
      ASSIGN_OR_RETURN(const Lane* lane, LaneOf(row.id.endpoint));
      std::string value;
      const bool may_be_queued = lane->state.queued > 0 && row.id.sequence >= lane->state.cursor;
      if (may_be_queued && !IsOver(query_.state)) {
        ASSIGN_OR_RETURN(const bool queued, Get(kQueue, KeyOf(row.id), value));
        if (queued) {
          RETURN_IF_ERROR(row.pending.emplace().SetQueued(value));
          return LookPending(row.id, *row.pending);
        }
      }
      const bool may_be_parked = lane->first_parked && row.id.sequence >= *lane->first_parked;
      if (may_be_parked && !IsOver(query_.state)) {
        ASSIGN_OR_RETURN(const bool parked, Get(kParked, KeyOf(row.id), value));
        if (parked) {
          RETURN_IF_ERROR(row.pending.emplace().SetParked(row.id.sequence, value));
          return LookPending(row.id, *row.pending);
        }
      }
      if (query_.state == DeliveryState::kPending) return std::nullopt;
    }
    return LookEnded(row);
  }

  absl::StatusOr<std::optional<Delivery>> LookEnded(ListRow& row) {
    if (row.end.empty()) {
      ASSIGN_OR_RETURN(const bool ended, Get(kHistory, keys::HistoryRow(row.id, keys::kEndRow), row.end));
      if (!ended) return std::nullopt;
    }
    ASSIGN_OR_RETURN(records::End end, records::DecodeEnd(row.end));
    Delivery delivery = Reader::Ended(row.id, std::move(end));
    if (!Takes(query_, delivery)) return std::nullopt;
    if (IsFailed(delivery.state)) {
      if (context_.order == ListOrder::kFailed) {
        ASSIGN_OR_RETURN(delivery.replaced_by, Reader::DecodeReplacedBy(row.failed));
      } else {
        budget_.Read(0);
        ASSIGN_OR_RETURN(delivery.replaced_by, reader_.ReplacedBy(delivery));
      }
      if (query_.not_replaced && delivery.replaced_by) return std::nullopt;
    }
    return delivery;
  }

  // The event, with its payload, is read only if the rest fits.
  absl::StatusOr<std::optional<Delivery>> LookPending(const DeliveryId& id, const PendingRow& row) {
    const ParkedDelivery* parked = row.parked ? &*row.parked : nullptr;
    if (IsOver(query_.state) || !TakesTime(query_, AcceptedMs(row.event, row.remade)) ||
        !TakesOutcome(query_, parked ? parked->last_status : 0,
                      parked ? parked->last_error : ErrorKind::kNone)) {
      return std::nullopt;
    }
    if (!query_.subscriber_id.empty() && id.endpoint.partition() != PartitionOf(query_.subscriber_id)) {
      return std::nullopt;
    }
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kEvents, keys::OfEvent(row.event), value));
    if (!found) return absl::DataLossError(Concat("a pending delivery without its event: ", id.ToString()));
    ASSIGN_OR_RETURN(const std::shared_ptr<const Event> event, records::DecodeEvent(row.event, value));
    Delivery delivery = Reader::Pending(id.endpoint, id.sequence, *event, row.remade, parked);
    if (!Takes(query_, delivery)) return std::nullopt;
    return delivery;
  }

  static bool IsOver(const std::optional<DeliveryState>& state) { return state && IsTerminal(*state); }

  absl::StatusOr<bool> Get(Family family, const std::string& key, std::string& value) {
    ASSIGN_OR_RETURN(const bool found, reader_.Get(family, key, value));
    if (found) {
      budget_.Read(value.size());
    } else {
      budget_.Row({});  // the filters of the tables say so
    }
    return found;
  }

  static std::string KeyOf(const DeliveryId& id) { return keys::OfDelivery(id.endpoint, id.sequence); }

  // Where what is pending of a lane may be: it spares most reads of the rows that cannot be.
  struct Lane {
    LaneState state;
    std::optional<Sequence> first_parked;
  };
  absl::StatusOr<const Lane*> LaneOf(EndpointId endpoint) {
    const auto [it, first] = lanes_.try_emplace(endpoint, nullptr);
    if (!first) return it->second.get();
    it->second = std::make_unique<Lane>();
    Lane& lane = *it->second;
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kLanes, keys::OfEndpoint(endpoint), value));
    if (!found) return &lane;
    ASSIGN_OR_RETURN(lane.state, records::DecodeLane(value));
    if (lane.state.parked == 0) return &lane;
    RowCursor parked(reader_, kParked, keys::OfEndpoint(endpoint),
                     keys::OfDelivery(endpoint, lane.state.next), false, budget_);
    parked.Begin();
    RETURN_IF_ERROR(parked.status());
    if (parked.Valid()) {
      const std::optional<keys::EndpointSequence> at = keys::ParseDelivery(parked.key());
      if (!at) return absl::DataLossError("an unknown row in the family parked");
      lane.first_parked = at->sequence;
    }
    return &lane;
  }

  const Reader reader_;
  const DeliveryQuery& query_;
  ScanBudget budget_;
  ListContext context_;
  bool paused_ = false;
  absl::flat_hash_map<EndpointId, std::unique_ptr<Lane>> lanes_;
};

absl::StatusOr<DeliveryPage> RocksDbStore::ListDeliveries(const DeliveryQuery& query) const {
  HOOKD_CHECK(query.limit >= 1, "a page holds at least one delivery");
  ASSIGN_OR_RETURN(const ListOrder order, OrderOf(query));
  ASSIGN_OR_RETURN(const std::optional<ListPosition> after, ParsePosition(query, order));
  return Lister(*this, query, order, after).List();
}

}  // namespace hookd
