#include <utility>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

constexpr WallMs kIdempotencyWindowMs = 24 * 3'600'000;

}  // namespace

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
                    ASSIGN_OR_RETURN(records::Queued queued, records::DecodeQueued(value));
                    ASSIGN_OR_RETURN(std::shared_ptr<const Event> event, reader.GetEvent(queued.event));
                    if (!deliveries.empty() && bytes + event->payload.size() > max_bytes) return false;
                    bytes += event->payload.size();
                    deliveries.push_back({parsed->sequence, std::move(event), std::move(queued.remade)});
                    return deliveries.size() < limit;
                  });
  // Those before one that cannot be read need not wait with it: the next read begins there.
  if (deliveries.empty()) RETURN_IF_ERROR(status);
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
  const std::shared_ptr<const Sealer> payloads = reader.payloads();
  RETURN_IF_ERROR(
      reader.Scan(kHistory, keys::HistoryRow(id, 0), keys::After(keys::HistoryRow(id, keys::kEndRow)),
                  [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                    const std::optional<keys::HistoryKey> parsed = keys::ParseHistoryRow(key);
                    if (!parsed) return absl::DataLossError("an unknown row in the family history");
                    if (parsed->attempt == keys::kEndRow) {
                      ASSIGN_OR_RETURN(records::End end, records::DecodeEnd(value, id, payloads.get()));
                      if (end.has_attempt) last = std::move(end.last_attempt);
                      delivery = Reader::Ended(id, std::move(end));
                    } else {
                      ASSIGN_OR_RETURN(Attempt attempt, records::DecodeAttempt(value, id, payloads.get()));
                      attempts.push_back(std::move(attempt));
                    }
                    return true;
                  }));
  if (!delivery) {
    const std::string key = keys::OfDelivery(id.endpoint, id.sequence);
    std::string value;
    ASSIGN_OR_RETURN(const bool queued, reader.Get(kQueue, key, value));
    if (queued) {
      ASSIGN_OR_RETURN(const records::Queued row, records::DecodeQueued(value));
      ASSIGN_OR_RETURN(delivery, reader.Pending(id.endpoint, id.sequence, row.event, row.remade, nullptr));
    } else {
      ASSIGN_OR_RETURN(const bool parked_found, reader.Get(kParked, key, value));
      if (!parked_found) return absent;
      ASSIGN_OR_RETURN(const ParkedDelivery parked, records::DecodeParked(id.sequence, value));
      ASSIGN_OR_RETURN(delivery,
                       reader.Pending(id.endpoint, id.sequence, parked.event, parked.remade, &parked));
    }
    if (delivery->id != id) return absent;
  }
  ASSIGN_OR_RETURN(delivery->replaced_by, reader.ReplacedBy(*delivery));
  if (last) attempts.push_back(std::move(*last));
  delivery->attempts = std::move(attempts);
  return *std::move(delivery);
}

}  // namespace hookd
