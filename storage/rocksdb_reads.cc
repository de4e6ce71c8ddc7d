#include <algorithm>
#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

constexpr WallMs kIdempotencyWindowMs = 24 * 3'600'000;
// Rows that one page may look at: a page may come back short and still have a next position.
constexpr size_t kScanBudget = 10'000;

}  // namespace

// One snapshot, so that a delivery on its way from the queue to the history is seen exactly once.
class RocksDbStore::Reader {
 public:
  explicit Reader(const RocksDbStore& store) : store_(store), snapshot_(store.db_.get()) {
    options_.snapshot = snapshot_.snapshot();
  }

  // False = there is no such row.
  absl::StatusOr<bool> Get(Family family, const std::string& key, std::string& value) const {
    const rocksdb::Status status = store_.db_->Get(options_, store_.Cf(family), key, &value);
    if (status.IsNotFound()) return false;
    RETURN_IF_ERROR(FromRocksDb(status, "read"));
    return true;
  }

  // A bounded scan of [from, to): stops when `row` returns false.
  template <typename Row>
  absl::Status Scan(Family family, const std::string& from, const std::string& to, Row&& row) const {
    rocksdb::ReadOptions options = options_;
    const rocksdb::Slice upper(to);
    if (!to.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> it(store_.db_->NewIterator(options, store_.Cf(family)));
    for (it->Seek(from); it->Valid(); it->Next()) {
      ASSIGN_OR_RETURN(const bool more, row(it->key().ToStringView(), it->value().ToStringView()));
      if (!more) return absl::OkStatus();
    }
    return FromRocksDb(it->status(), "scan");
  }

  absl::StatusOr<std::shared_ptr<const Event>> GetEvent(EventId id) const {
    std::string value;
    ASSIGN_OR_RETURN(const bool found, Get(kEvents, keys::OfEvent(id), value));
    if (!found) return absl::NotFoundError(Concat("no event ", id.ToString()));
    return records::DecodeEvent(id, value);
  }

  // A delivery of queue or parked; `parked` null = it was never attempted.
  absl::StatusOr<Delivery> Pending(EndpointId endpoint, Sequence sequence, EventId event,
                                   const ParkedDelivery* parked) const {
    Delivery delivery;
    delivery.id = {event.bucket(), endpoint, sequence};
    delivery.event = event;
    delivery.state = DeliveryState::kPending;
    delivery.accepted_ms = event.accepted_ms();
    if (parked != nullptr) {
      delivery.attempt_count = parked->attempts;
      delivery.next_due_ms = parked->due_ms;
    }
    ASSIGN_OR_RETURN(const std::shared_ptr<const Event> stored, GetEvent(event));
    delivery.event_type = stored->type;
    delivery.subscriber_id = stored->subscriber_id;
    return delivery;
  }

  static Delivery Ended(DeliveryId id, records::End end) {
    Delivery delivery;
    delivery.id = id;
    delivery.event = end.event;
    delivery.subscriber_id = std::move(end.subscriber_id);
    delivery.event_type = std::move(end.event_type);
    delivery.state = end.state;
    delivery.reason = end.reason;
    delivery.accepted_ms = end.event.accepted_ms();
    delivery.ended_ms = end.ended_ms;
    delivery.attempt_count = end.attempt_count;
    return delivery;
  }

 private:
  const RocksDbStore& store_;
  rocksdb::ManagedSnapshot snapshot_;
  rocksdb::ReadOptions options_;
};

absl::StatusOr<std::optional<IdempotencyHit>> RocksDbStore::FindIdempotency(
    const std::array<uint8_t, 16>& key, WallMs now) const {
  const uint16_t today = keys::DayOf(now);
  for (const int back : {0, 1}) {
    std::string value;
    const rocksdb::Status status =
        db_->Get(rocksdb::ReadOptions(), Cf(kIdempotency),
                 keys::OfIdempotency(static_cast<uint16_t>(today - back), key), &value);
    if (status.IsNotFound()) continue;
    RETURN_IF_ERROR(FromRocksDb(status, "read"));
    ASSIGN_OR_RETURN(const IdempotencyHit hit, records::DecodeIdempotency(value));
    if (hit.event.accepted_ms() > now - kIdempotencyWindowMs) return hit;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<QueuedDelivery>> RocksDbStore::ReadQueue(EndpointId endpoint, Sequence from,
                                                                    size_t limit, size_t max_bytes) const {
  const Reader reader(*this);
  std::vector<QueuedDelivery> deliveries;
  size_t bytes = 0;
  const absl::Status status =
      reader.Scan(kQueue, keys::OfDelivery(endpoint, from), keys::After(keys::OfEndpoint(endpoint)),
                  [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                    const std::optional<keys::EndpointSequence> parsed = keys::ParseDelivery(key);
                    if (!parsed) return absl::DataLossError("an unknown row in the family queue");
                    ASSIGN_OR_RETURN(const EventId id, records::DecodeQueued(value));
                    ASSIGN_OR_RETURN(std::shared_ptr<const Event> event, reader.GetEvent(id));
                    if (!deliveries.empty() && bytes + event->payload.size() > max_bytes) return false;
                    bytes += event->payload.size();
                    deliveries.push_back({parsed->sequence, std::move(event)});
                    return deliveries.size() < limit;
                  });
  RETURN_IF_ERROR(status);
  return deliveries;
}

absl::StatusOr<std::vector<ParkedDelivery>> RocksDbStore::ReadParked(EndpointId endpoint,
                                                                     size_t limit) const {
  const Reader reader(*this);
  std::vector<ParkedDelivery> deliveries;
  const std::string from = keys::OfEndpoint(endpoint);
  const absl::Status status =
      reader.Scan(kParked, from, keys::After(from),
                  [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                    const std::optional<keys::EndpointSequence> parsed = keys::ParseDelivery(key);
                    if (!parsed) return absl::DataLossError("an unknown row in the family parked");
                    ASSIGN_OR_RETURN(ParkedDelivery parked, records::DecodeParked(parsed->sequence, value));
                    deliveries.push_back(std::move(parked));
                    return deliveries.size() < limit;
                  });
  RETURN_IF_ERROR(status);
  return deliveries;
}

absl::StatusOr<std::shared_ptr<const Event>> RocksDbStore::ReadEvent(EventId id) const {
  return Reader(*this).GetEvent(id);
}

absl::StatusOr<Delivery> RocksDbStore::ReadDelivery(DeliveryId id) const {
  const Reader reader(*this);
  const absl::Status absent = absl::NotFoundError(Concat("no delivery ", id.ToString()));
  std::optional<Delivery> delivery;
  std::vector<Attempt> attempts;
  std::optional<Attempt> last;
  RETURN_IF_ERROR(reader.Scan(kHistory, keys::HistoryRow(id, 0),
                              keys::After(keys::HistoryRow(id, keys::kEndRow)),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                const std::optional<keys::HistoryKey> parsed = keys::ParseHistoryRow(key);
                                if (!parsed)
                                  return absl::DataLossError("an unknown row in the family history");
                                if (parsed->attempt == keys::kEndRow) {
                                  ASSIGN_OR_RETURN(records::End end, records::DecodeEnd(value));
                                  if (end.has_attempt) last = std::move(end.last_attempt);
                                  delivery = Reader::Ended(id, std::move(end));
                                } else {
                                  ASSIGN_OR_RETURN(Attempt attempt, records::DecodeAttempt(value));
                                  attempts.push_back(std::move(attempt));
                                }
                                return true;
                              }));
  if (!delivery) {
    const std::string key = keys::OfDelivery(id.endpoint, id.sequence);
    std::string value;
    ASSIGN_OR_RETURN(const bool queued, reader.Get(kQueue, key, value));
    if (queued) {
      ASSIGN_OR_RETURN(const EventId event, records::DecodeQueued(value));
      ASSIGN_OR_RETURN(delivery, reader.Pending(id.endpoint, id.sequence, event, nullptr));
    } else {
      ASSIGN_OR_RETURN(const bool parked_found, reader.Get(kParked, key, value));
      if (!parked_found) return absent;
      ASSIGN_OR_RETURN(const ParkedDelivery parked, records::DecodeParked(id.sequence, value));
      ASSIGN_OR_RETURN(delivery, reader.Pending(id.endpoint, id.sequence, parked.event, &parked));
    }
    if (delivery->id != id) return absent;
  }
  if (last) attempts.push_back(std::move(*last));
  delivery->attempts = std::move(attempts);
  return *std::move(delivery);
}

namespace {

// A page's position: the query's kind and the last delivery that was looked at.
struct Cursor {
  DeliveryId last;
  bool set = false;
};

std::string Kind(const DeliveryQuery& query) {
  return Concat(query.endpoint ? "e" : "a", query.state ? static_cast<int>(*query.state) : 0, ".");
}

absl::StatusOr<Cursor> ParsePosition(const DeliveryQuery& query) {
  Cursor cursor;
  if (query.position.empty()) return cursor;
  const std::string kind = Kind(query);
  const std::string_view position = query.position;
  const absl::StatusOr<DeliveryId> last =
      DeliveryId::Parse(position.substr(std::min(kind.size(), position.size())));
  if (!position.starts_with(kind) || !last.ok() || (query.endpoint && last->endpoint != *query.endpoint)) {
    return absl::InvalidArgumentError("position: not one that this query gave");
  }
  cursor.last = *last;
  cursor.set = true;
  return cursor;
}

}  // namespace

absl::StatusOr<DeliveryPage> RocksDbStore::ListDeliveries(const DeliveryQuery& query) const {
  if (!query.endpoint && !query.state) {
    return absl::InvalidArgumentError("endpoint_id, state: at least one of the two is needed");
  }
  ASSIGN_OR_RETURN(const Cursor cursor, ParsePosition(query));
  const Reader reader(*this);
  DeliveryPage page;
  size_t looked_at = 0;
  DeliveryId last;
  bool stopped = false;
  // True = go on. The row just looked at becomes the next page's position when the page is full or the budget
  // spent.
  const auto took = [&](const DeliveryId& id) {
    last = id;
    stopped = page.deliveries.size() >= query.limit || ++looked_at >= kScanBudget;
    return !stopped;
  };

  // What ended, in the order of acceptance of one endpoint: bucket by bucket.
  const auto ended_of_endpoint = [&](EndpointId endpoint) -> absl::Status {
    DeliveryId from = cursor.set ? cursor.last : DeliveryId{0, endpoint, 0};
    std::string next =
        cursor.set ? keys::After(keys::HistoryRow(from, keys::kEndRow)) : keys::HistoryRow(from, 0);
    const std::string end = keys::After("d");
    while (!next.empty() && !stopped) {
      std::string jump;
      RETURN_IF_ERROR(reader.Scan(
          kHistory, next, end, [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
            const std::optional<keys::HistoryKey> parsed = keys::ParseHistoryRow(key);
            if (!parsed) return absl::DataLossError("an unknown row in the family history");
            if (parsed->id.endpoint != endpoint) {
              // To this endpoint in this bucket, or, past it, in the next.
              const Bucket bucket = parsed->id.bucket + (parsed->id.endpoint > endpoint ? 1 : 0);
              jump = keys::HistoryRow({bucket, endpoint, 0}, 0);
              return false;
            }
            if (parsed->attempt != keys::kEndRow) return true;
            ASSIGN_OR_RETURN(records::End record, records::DecodeEnd(value));
            if (!query.state || *query.state == record.state) {
              page.deliveries.push_back(Reader::Ended(parsed->id, std::move(record)));
            }
            return took(parsed->id);
          }));
      next = std::move(jump);
    }
    return absl::OkStatus();
  };

  // What is pending, of one endpoint or of all: queue and parked side by side, by endpoint and sequence.
  const auto pending = [&]() -> absl::StatusOr<std::vector<Delivery>> {
    const std::string from = cursor.set
                                 ? keys::After(keys::OfDelivery(cursor.last.endpoint, cursor.last.sequence))
                             : query.endpoint ? keys::OfEndpoint(*query.endpoint)
                                              : std::string();
    const std::string to = query.endpoint ? keys::After(keys::OfEndpoint(*query.endpoint)) : std::string();
    std::vector<std::pair<keys::EndpointSequence, std::pair<EventId, std::optional<ParkedDelivery>>>> rows;
    for (const Family family : {kQueue, kParked}) {
      size_t count = 0;
      RETURN_IF_ERROR(reader.Scan(
          family, from, to, [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
            const std::optional<keys::EndpointSequence> parsed = keys::ParseDelivery(key);
            if (!parsed) return absl::DataLossError("an unknown row in the family queue or parked");
            if (family == kQueue) {
              ASSIGN_OR_RETURN(const EventId event, records::DecodeQueued(value));
              rows.push_back({*parsed, {event, std::nullopt}});
            } else {
              ASSIGN_OR_RETURN(ParkedDelivery parked, records::DecodeParked(parsed->sequence, value));
              rows.push_back({*parsed, {parked.event, parked}});
            }
            return ++count < query.limit + 1;
          }));
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first.endpoint, a.first.sequence) < std::pair(b.first.endpoint, b.first.sequence);
    });
    if (rows.size() > query.limit + 1) rows.resize(query.limit + 1);
    std::vector<Delivery> deliveries;
    for (const auto& [key, row] : rows) {
      ASSIGN_OR_RETURN(Delivery delivery, reader.Pending(key.endpoint, key.sequence, row.first,
                                                         row.second ? &*row.second : nullptr));
      deliveries.push_back(std::move(delivery));
    }
    return deliveries;
  };

  const bool wants_pending = !query.state || *query.state == DeliveryState::kPending;
  const bool wants_ended = !query.state || *query.state != DeliveryState::kPending;
  if (query.endpoint) {
    if (wants_ended) RETURN_IF_ERROR(ended_of_endpoint(*query.endpoint));
  } else if (*query.state == DeliveryState::kSucceeded) {
    const std::string from = cursor.set ? keys::After(keys::HistoryRow(cursor.last, keys::kEndRow)) : "d";
    RETURN_IF_ERROR(reader.Scan(kHistory, from, keys::After("d"),
                                [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                  const std::optional<keys::HistoryKey> parsed = keys::ParseHistoryRow(key);
                                  if (!parsed)
                                    return absl::DataLossError("an unknown row in the family history");
                                  if (parsed->attempt == keys::kEndRow) {
                                    ASSIGN_OR_RETURN(records::End record, records::DecodeEnd(value));
                                    if (record.state == DeliveryState::kSucceeded) {
                                      page.deliveries.push_back(Reader::Ended(parsed->id, std::move(record)));
                                    }
                                  }
                                  return took(parsed->id);
                                }));
  } else if (wants_ended) {
    const std::string prefix = keys::StatePrefix(*query.state);
    const std::string from = cursor.set ? keys::After(keys::StateRow(*query.state, cursor.last)) : prefix;
    RETURN_IF_ERROR(reader.Scan(kHistory, from, keys::After(prefix),
                                [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                                  const std::optional<DeliveryId> id = keys::ParseStateRow(key);
                                  if (!id) return absl::DataLossError("an unknown row in the family history");
                                  std::string value;
                                  ASSIGN_OR_RETURN(
                                      const bool found,
                                      reader.Get(kHistory, keys::HistoryRow(*id, keys::kEndRow), value));
                                  if (found) {
                                    ASSIGN_OR_RETURN(records::End record, records::DecodeEnd(value));
                                    page.deliveries.push_back(Reader::Ended(*id, std::move(record)));
                                  }
                                  return took(*id);
                                }));
  }

  if (wants_pending) {
    ASSIGN_OR_RETURN(std::vector<Delivery> rows, pending());
    // The scan of what ended got only as far as `last`: nothing beyond it may come before it is complete.
    for (Delivery& row : rows) {
      if (stopped && row.id.sequence > last.sequence) break;
      page.deliveries.push_back(std::move(row));
    }
    std::stable_sort(
        page.deliveries.begin(), page.deliveries.end(), [](const Delivery& a, const Delivery& b) {
          return std::pair(a.id.endpoint, a.id.sequence) < std::pair(b.id.endpoint, b.id.sequence);
        });
    if (page.deliveries.size() > query.limit) {
      page.deliveries.resize(query.limit);
      stopped = true;
      last = page.deliveries.back().id;
    }
  }
  if (stopped) page.next_position = Concat(Kind(query), last.ToString());
  return page;
}

}  // namespace hookd
