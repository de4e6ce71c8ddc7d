#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

// Rows that one page may look at: a page may come back short and still have a next position.
constexpr size_t kScanBudget = 10'000;

bool BeforeInLane(const Delivery& a, const Delivery& b) {
  return std::tie(a.id.endpoint, a.id.sequence) < std::tie(b.id.endpoint, b.id.sequence);
}

}  // namespace

// One page. Its position is the query's kind and the last delivery that was looked at, taken or not.
class RocksDbStore::Lister {
 public:
  Lister(const RocksDbStore& store, const DeliveryQuery& query) : reader_(store), query_(query) {}

  absl::StatusOr<DeliveryPage> List() {
    RETURN_IF_ERROR(ParsePosition());
    const bool pending_only = query_.state == DeliveryState::kPending;
    if (query_.endpoint) {
      if (!pending_only) RETURN_IF_ERROR(AddEndedOfEndpoint());
      if (!query_.state || pending_only) RETURN_IF_ERROR(AddPending());
    } else if (pending_only) {
      RETURN_IF_ERROR(AddPending());
    } else if (*query_.state == DeliveryState::kSucceeded) {
      RETURN_IF_ERROR(AddSucceeded());
    } else {
      RETURN_IF_ERROR(AddOfState());
    }
    if (full_) page_.next_position = Concat(Kind(), last_.ToString());
    return std::move(page_);
  }

 private:
  std::string Kind() const {
    return Concat(query_.endpoint ? "e" : "a", query_.state ? static_cast<int>(*query_.state) : 0, ".");
  }

  absl::Status ParsePosition() {
    if (query_.position.empty()) return absl::OkStatus();
    const std::string kind = Kind();
    const std::string_view position = query_.position;
    const absl::StatusOr<DeliveryId> after =
        DeliveryId::Parse(position.substr(std::min(kind.size(), position.size())));
    if (!position.starts_with(kind) || !after.ok() ||
        (query_.endpoint && after->endpoint != *query_.endpoint)) {
      return absl::InvalidArgumentError("position: not one that this query gave");
    }
    after_ = *after;
    return absl::OkStatus();
  }

  // A row of `id` comes next. False = the page ends before it: the budget is spent, and a page ends with a
  // whole delivery. (One delivery has fewer rows than the budget, so every page gets on.)
  bool Look(const DeliveryId& id) {
    if (++looked_at_ > kScanBudget && looked_at_any_ && id != last_) {
      full_ = true;
      return false;
    }
    last_ = id;
    looked_at_any_ = true;
    return true;
  }

  // An end row of the history, taken if it has the state asked for.
  absl::StatusOr<bool> TakeEnd(const DeliveryId& id, std::string_view value) {
    ASSIGN_OR_RETURN(records::End end, records::DecodeEnd(value));
    if (!query_.state || *query_.state == end.state)
      page_.deliveries.push_back(Reader::Ended(id, std::move(end)));
    full_ = page_.deliveries.size() >= query_.limit;
    return !full_;
  }

  // What ended of one endpoint, in the order of acceptance: bucket by bucket.
  absl::Status AddEndedOfEndpoint() {
    const EndpointId endpoint = *query_.endpoint;
    std::string next = after_ ? keys::After(keys::HistoryRow(*after_, keys::kEndRow))
                              : keys::HistoryRow({0, endpoint, 0}, 0);
    while (!next.empty() && !full_) {
      std::string jump;
      RETURN_IF_ERROR(reader_.Scan(kHistory, next, keys::HistoryEnd(),
                                   [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                     ASSIGN_OR_RETURN(const keys::HistoryKey row, ParseHistory(key));
                                     if (row.id.endpoint != endpoint) {
                                       // To this endpoint in this bucket, or, past it, in the next.
                                       const Bucket bucket =
                                           row.id.bucket + (row.id.endpoint > endpoint ? 1 : 0);
                                       jump = keys::HistoryRow({bucket, endpoint, 0}, 0);
                                       return false;
                                     }
                                     if (!Look(row.id)) return false;
                                     return row.attempt == keys::kEndRow ? TakeEnd(row.id, value)
                                                                         : absl::StatusOr<bool>(true);
                                   }));
      next = std::move(jump);
    }
    return absl::OkStatus();
  }

  absl::Status AddSucceeded() {
    const std::string from = after_ ? keys::After(keys::HistoryRow(*after_, keys::kEndRow))
                                    : keys::HistoryRow({0, EndpointId{0}, 0}, 0);
    return reader_.Scan(kHistory, from, keys::HistoryEnd(),
                        [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                          ASSIGN_OR_RETURN(const keys::HistoryKey row, ParseHistory(key));
                          if (!Look(row.id)) return false;
                          return row.attempt == keys::kEndRow ? TakeEnd(row.id, value)
                                                              : absl::StatusOr<bool>(true);
                        });
  }

  // Through the index of what did not succeed.
  absl::Status AddOfState() {
    const auto next_state = static_cast<DeliveryState>(static_cast<int>(*query_.state) + 1);
    return reader_.Scan(kHistory, keys::StateFrom(*query_.state, 0), keys::StateFrom(next_state, 0),
                        [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                          const std::optional<keys::MadeKey> made = keys::ParseStateRow(key);
                          if (!made) return absl::DataLossError("an unknown row in the family history");
                          const DeliveryId* id = &made->id;
                          if (!Look(*id)) return false;
                          std::string value;
                          ASSIGN_OR_RETURN(
                              const bool found,
                              reader_.Get(kHistory, keys::HistoryRow(*id, keys::kEndRow), value));
                          return found ? TakeEnd(*id, value) : absl::StatusOr<bool>(true);
                        });
  }

  // What is pending, of one endpoint or of all, merged into the page.
  absl::Status AddPending() {
    const EndpointId first = query_.endpoint ? *query_.endpoint : after_ ? after_->endpoint : EndpointId{0};
    const std::string to = query_.endpoint ? keys::After(keys::OfEndpoint(first)) : std::string();
    const auto lane = [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
      const std::optional<EndpointId> endpoint = keys::ParseEndpoint(key);
      if (!endpoint) return absl::DataLossError("an unknown row in the family lanes");
      ASSIGN_OR_RETURN(const LaneState state, records::DecodeLane(value));
      if (state.pending() > 0) RETURN_IF_ERROR(AddPendingOf(*endpoint, state));
      return page_.deliveries.size() <= query_.limit;
    };
    RETURN_IF_ERROR(reader_.Scan(kLanes, keys::OfEndpoint(first), to, lane));
    std::stable_sort(page_.deliveries.begin(), page_.deliveries.end(), BeforeInLane);
    if (page_.deliveries.size() > query_.limit) {
      page_.deliveries.resize(query_.limit);
      full_ = true;
      last_ = page_.deliveries.back().id;
    }
    return absl::OkStatus();
  }

  struct PendingRow {
    Sequence sequence = 0;
    EventId event;
    RemadePtr remade;
    std::optional<ParkedDelivery> parked;
  };

  // Queue and parked side by side, the queue from its cursor: its beginning may be a million tombstones away.
  absl::Status AddPendingOf(EndpointId endpoint, const LaneState& lane) {
    const Sequence next = after_ && after_->endpoint == endpoint ? after_->sequence + 1 : 0;
    const std::string to = keys::After(keys::OfEndpoint(endpoint));
    std::vector<PendingRow> rows;
    for (const Family family : {kQueue, kParked}) {
      const Sequence from = family == kQueue ? std::max(next, lane.cursor) : next;
      size_t count = 0;
      const auto row = [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
        const std::optional<keys::EndpointSequence> at = keys::ParseDelivery(key);
        if (!at) return absl::DataLossError("an unknown row in the family queue or parked");
        if (family == kQueue) {
          ASSIGN_OR_RETURN(const records::Queued queued, records::DecodeQueued(value));
          rows.push_back({at->sequence, queued.event, queued.remade, std::nullopt});
        } else {
          ASSIGN_OR_RETURN(const ParkedDelivery parked, records::DecodeParked(at->sequence, value));
          rows.push_back({at->sequence, parked.event, parked.remade, parked});
        }
        return ++count < query_.limit + 1;
      };
      RETURN_IF_ERROR(reader_.Scan(family, keys::OfDelivery(endpoint, from), to, row));
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
    if (rows.size() > query_.limit + 1) rows.resize(query_.limit + 1);
    for (const PendingRow& row : rows) {
      // The scan of what ended got only as far as last_: nothing beyond it may come before that is complete.
      if (full_ && row.sequence > last_.sequence) break;
      ASSIGN_OR_RETURN(Delivery delivery, reader_.Pending(endpoint, row.sequence, row.event, row.remade,
                                                          row.parked ? &*row.parked : nullptr));
      page_.deliveries.push_back(std::move(delivery));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<keys::HistoryKey> ParseHistory(std::string_view key) {
    const std::optional<keys::HistoryKey> parsed = keys::ParseHistoryRow(key);
    if (!parsed) return absl::DataLossError("an unknown row in the family history");
    return *parsed;
  }

  const Reader reader_;
  const DeliveryQuery& query_;
  std::optional<DeliveryId> after_;  // the position asked for
  DeliveryPage page_;
  size_t looked_at_ = 0;  // rows
  bool looked_at_any_ = false;
  DeliveryId last_;  // the newest delivery that was looked at
  bool full_ = false;
};

absl::StatusOr<DeliveryPage> RocksDbStore::ListDeliveries(const DeliveryQuery& query) const {
  if (!query.endpoint && !query.state) {
    return absl::InvalidArgumentError("endpoint_id, state: at least one of the two is needed");
  }
  return Lister(*this, query).List();
}

}  // namespace hookd
