// Where the rows of a list come from: one source per index, each in the order of the query.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "storage/list_query.h"
#include "storage/rocksdb_scan.h"

namespace hookd {

// One page's; outlives its sources.
struct ListContext {
  const RocksDbStore::Reader& reader;
  const DeliveryQuery& query;
  ListOrder order;
  std::optional<ListPosition> after;  // exclusive
  MadeRange range;
  ScanBudget& budget;
};

// A row of queue or parked.
struct PendingRow {
  EventId event;
  RemadePtr remade;
  std::optional<ParkedDelivery> parked;

  absl::Status SetQueued(std::string_view value);
  absl::Status SetParked(Sequence sequence, std::string_view value);
};

// A delivery, as far as its row tells.
struct ListRow {
  ListPosition at;
  DeliveryId id;
  std::optional<PendingRow> pending;  // from a lane
  std::string end;                    // the EndRecord, from the history
  std::string failed;                 // the value in the index by state
  std::string made;                   // the value in the index by subscriber
};

class RowSource {
 public:
  enum class Have {
    kRow,
    kEnd,     // nothing more
    kPaused,  // the budget is spent; up to reached() there is nothing that was not given
  };
  explicit RowSource(ListContext& context);
  virtual ~RowSource() = default;

  // The same until Pop.
  absl::StatusOr<Have> Peek();
  ListRow& row() { return row_; }
  void Pop() { have_.reset(); }
  const ListPosition& reached() const { return reached_; }

 protected:
  virtual absl::StatusOr<Have> Find() = 0;  // the first, or the next one
  bool backwards() const { return context_.query.newest_first; }

  ListContext& context_;
  ListRow row_;
  ListPosition reached_;

 private:
  std::optional<Have> have_;
};

// What ended, of one endpoint or (null) of all.
std::unique_ptr<RowSource> MakeEndedSource(ListContext& context, std::optional<EndpointId> endpoint);
// Of one failing state; of the query's endpoint, and within its subscriber's partition.
std::unique_ptr<RowSource> MakeFailedSource(ListContext& context);
// All of the query's subscriber, and of those whose ids have the same hash.
std::unique_ptr<RowSource> MakeSubscriberSource(ListContext& context);
// What is pending: of one lane (this one never pauses), or of all.
std::unique_ptr<RowSource> MakeLaneSource(ListContext& context, EndpointId endpoint, const LaneState& lane);
std::unique_ptr<RowSource> MakePendingSource(ListContext& context);

// The sources of a query, one or two; none when nothing can be listed.
absl::StatusOr<std::vector<std::unique_ptr<RowSource>>> MakeSources(ListContext& context);

}  // namespace hookd
