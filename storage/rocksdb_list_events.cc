#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/list_query.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_sources.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

// Below every id of that time or later.
EventId FirstIdOf(WallMs ms) { return EventId::Make(ms, 0, 0, 0); }

// Above every id of an earlier time.
EventId LastIdBefore(WallMs ms) {
  return EventId::Make(std::max<WallMs>(ms, 1) - 1, 0xffff, 0xffff, ~uint64_t{0});
}

absl::StatusOr<bool> Exists(const RocksDbStore::Reader& reader, const DeliveryId& id) {
  std::string value;
  const std::string pending = keys::OfDelivery(id.endpoint, id.sequence);
  ASSIGN_OR_RETURN(const bool ended, reader.Get(kHistory, keys::HistoryRow(id, keys::kEndRow), value));
  if (ended) return true;
  ASSIGN_OR_RETURN(const bool queued, reader.Get(kQueue, pending, value));
  if (queued) return true;
  return reader.Get(kParked, pending, value);
}

}  // namespace

// One page of ListEvents.
class RocksDbStore::EventLister {
 public:
  EventLister(const RocksDbStore& store, const EventQuery& query)
      : reader_(store),
        query_(query),
        range_(ClampedRange(query.accepted_from_ms, query.accepted_before_ms)) {
    page_.last = query.after;
    range_.from = std::max(range_.from, query.after.accepted_ms());
  }

  // Through the subscriber's index. Its rows of one millisecond are not in the order of their events, so
  // those are gathered first: as many as were accepted within it, whatever the budget.
  absl::StatusOr<EventPage> ListDelivered() {
    DeliveryQuery deliveries;
    deliveries.subscriber_id = query_.subscriber_id;
    ListContext context{reader_, deliveries, ListOrder::kSubscriber, std::nullopt, range_, budget_};
    const std::unique_ptr<RowSource> rows = MakeSubscriberSource(context);
    std::set<EventId> together;
    WallMs together_ms = 0;
    for (;;) {
      ASSIGN_OR_RETURN(const RowSource::Have have, rows->Peek());
      const auto made_ms = static_cast<WallMs>(rows->reached().time);
      if (have != RowSource::Have::kRow || made_ms != together_ms) {
        for (const EventId& id : std::exchange(together, {})) {
          if (IsFull()) return std::move(page_);
          std::string value;
          ASSIGN_OR_RETURN(const bool found, reader_.Get(kEvents, keys::OfEvent(id), value));
          budget_.Read(value.size());
          if (found) {
            ASSIGN_OR_RETURN(const bool looked_at, Add(id, value));
            if (!looked_at) return std::move(page_);
          }
          page_.last = id;
        }
        together_ms = made_ms;
        if (have == RowSource::Have::kEnd) return std::move(page_);
        if (have == RowSource::Have::kPaused || budget_.Spent()) {
          // The bucket that a source came to may be the present one, which goes on growing.
          const WallMs behind_ms = have == RowSource::Have::kPaused ? made_ms - kBucketMs : made_ms;
          page_.last = std::max(page_.last, LastIdBefore(behind_ms));
          page_.more = true;
          return std::move(page_);
        }
      }
      const ListRow& row = rows->row();
      const std::optional<EventId> id = keys::ParseEventId(row.made);
      if (!id) return UnknownRow();
      const bool made_with_event = id->accepted_ms() == made_ms;
      const bool of_endpoint = row.id.endpoint == query_.endpoint.value_or(row.id.endpoint);
      if (made_with_event && of_endpoint && *id > query_.after) together.insert(*id);
      rows->Pop();
    }
  }

  absl::StatusOr<EventPage> ListAccepted() {
    std::string from = keys::OfEvent(FirstIdOf(range_.from));
    from = std::max(from, keys::JustAfter(keys::OfEvent(query_.after)));
    const Partition partition = PartitionOf(query_.subscriber_id);
    RowCursor rows(reader_, kEvents, from, keys::OfEvent(FirstIdOf(range_.before)), false, budget_);
    for (rows.Begin(); rows.Valid(); rows.Next()) {
      if (IsFull()) return std::move(page_);
      const std::optional<EventId> id = keys::ParseEvent(rows.key());
      if (!id) return UnknownRow();
      if (id->partition() == partition) {
        ASSIGN_OR_RETURN(const bool looked_at, Add(*id, rows.value()));
        if (!looked_at) return std::move(page_);
      }
      page_.last = *id;
    }
    RETURN_IF_ERROR(rows.status());
    return std::move(page_);
  }

 private:
  bool IsFull() {
    page_.more = page_.events.size() >= query_.limit || (page_.last != query_.after && budget_.Spent());
    return page_.more;
  }

  // False = it is for the next page.
  absl::StatusOr<bool> Add(const EventId& id, std::string_view value) {
    ASSIGN_OR_RETURN(std::shared_ptr<const Event> event, records::DecodeEvent(id, value, payloads_.get()));
    if (event->subscriber_id != query_.subscriber_id || !MatchesType(query_.event_type, event->type) ||
        !MatchesKey(query_, *event)) {
      return true;
    }
    if (!page_.events.empty() && bytes_ + event->payload.size() > query_.max_bytes) {
      page_.more = true;
      return false;
    }
    bytes_ += event->payload.size();
    page_.events.push_back(std::move(event));
    return true;
  }

  const Reader reader_;
  const std::shared_ptr<const Sealer> payloads_ = reader_.payloads();
  const EventQuery& query_;
  MadeRange range_;
  ScanBudget budget_;
  EventPage page_;
  size_t bytes_ = 0;  // of payloads in it
};

absl::StatusOr<EventPage> RocksDbStore::ListEvents(const EventQuery& query) const {
  HOOKD_CHECK(query.limit >= 1 && !query.subscriber_id.empty(),
              "a page holds at least one event, of somebody");
  EventLister lister(*this, query);
  return query.delivered_only || query.endpoint ? lister.ListDelivered() : lister.ListAccepted();
}

absl::StatusOr<std::vector<DeliveryId>> RocksDbStore::DeliveriesOf(const Event& event, size_t limit) const {
  const Reader reader(*this);
  std::vector<DeliveryId> made;
  const std::string with_event = keys::TimeFrom(StableHash(event.subscriber_id), event.accepted_ms);
  RETURN_IF_ERROR(reader.Scan(kHistory, with_event, keys::After(with_event),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                const std::optional<keys::TimeKey> at = keys::ParseTimeRow(key);
                                const std::optional<EventId> id = keys::ParseEventId(value);
                                if (!at || !id) return UnknownRow();
                                if (*id == event.id) made.push_back(at->id);
                                return true;
                              }));
  const std::set<DeliveryId> with(made.begin(), made.end());
  std::set<DeliveryId> later;  // the newest of them, at most `limit`
  const std::string remade = keys::RemadePrefix(event.id);
  RETURN_IF_ERROR(reader.Scan(kHistory, remade, keys::After(remade),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                const std::optional<keys::EndpointSequence> at = keys::ParseRemadeRow(key);
                                if (!at) return UnknownRow();
                                const std::optional<DeliveryId> id = keys::ParseId(
                                    Concat(value, keys::OfDelivery(at->endpoint, at->sequence)));
                                if (!id) return UnknownRow();
                                if (!with.contains(*id)) later.insert(*id);
                                if (later.size() > limit) later.erase(later.begin());
                                return true;
                              }));
  // Their own buckets may have gone before the event's.
  for (const DeliveryId& id : later) {
    ASSIGN_OR_RETURN(const bool exists, Exists(reader, id));
    if (exists) made.push_back(id);
  }
  if (made.size() > limit) made.erase(made.begin(), made.end() - static_cast<ptrdiff_t>(limit));
  return made;
}

}  // namespace hookd
