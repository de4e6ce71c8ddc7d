#include "storage/rocksdb_sources.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "base/status_macros.h"
#include "storage/key_codec.h"

namespace hookd {
namespace {

constexpr uint64_t kLast = 0xffff'ffff'ffff'ffff;

ListPosition Beginning(const ListContext& context) {
  if (context.after) return *context.after;
  if (!context.query.newest_first) return {0, context.query.endpoint.value_or(EndpointId{0}), 0};
  return {kLast, context.query.endpoint.value_or(EndpointId{kLast}), kLast};
}

Bucket BucketAt(const ListPosition& position) { return static_cast<Bucket>(position.time); }

class EndedSource final : public RowSource {
 public:
  EndedSource(ListContext& context, std::optional<EndpointId> endpoint)
      : RowSource(context),
        endpoint_(endpoint),
        cursor_(context.reader, kHistory, From(context, endpoint), To(context, endpoint),
                context.query.newest_first, context.budget) {}

 private:
  static std::string From(const ListContext& context, std::optional<EndpointId> endpoint) {
    std::string from =
        keys::HistoryRow({BucketOf(context.range.from), endpoint.value_or(EndpointId{0}), 0}, 0);
    if (!context.after || context.query.newest_first) return from;
    const ListPosition& after = *context.after;
    return std::max(from, keys::After(keys::HistoryRow({BucketAt(after), after.endpoint, after.sequence},
                                                       keys::kEndRow)));
  }
  static std::string To(const ListContext& context, std::optional<EndpointId> endpoint) {
    const Bucket last = BucketOf(std::max<WallMs>(context.range.before - 1, 0));
    std::string to = keys::After(endpoint ? keys::HistoryRow({last, *endpoint, kLast}, keys::kEndRow)
                                          : keys::HistoryBucket(last));
    if (!context.after || !context.query.newest_first) return to;
    const ListPosition& after = *context.after;
    return std::min(to, keys::HistoryRow({BucketAt(after), after.endpoint, after.sequence}, 0));
  }

  absl::StatusOr<Have> Find() override {
    cursor_.Advance();
    while (cursor_.Valid()) {
      const std::optional<keys::HistoryKey> at = keys::ParseHistoryRow(cursor_.key());
      if (!at) return UnknownRow();
      const DeliveryId& id = at->id;
      if (endpoint_ && id.endpoint != *endpoint_) {
        const std::optional<Bucket> bucket = NextBucketOf(id.bucket, id.endpoint > *endpoint_, backwards());
        if (!bucket) return Have::kEnd;
        reached_.time = *bucket;
        if (context_.budget.Spent()) return Have::kPaused;
        cursor_.Jump(backwards() ? keys::After(keys::HistoryRow({*bucket, *endpoint_, kLast}, keys::kEndRow))
                                 : keys::HistoryRow({*bucket, *endpoint_, 0}, 0));
        continue;
      }
      reached_ = {id.bucket, id.endpoint, id.sequence};
      if (at->attempt == keys::kEndRow) {
        row_.at = reached_;
        row_.id = id;
        row_.end = cursor_.value();
        return Have::kRow;
      }
      // Attempts may be many: over them, to the end row or to the delivery before.
      cursor_.Jump(keys::HistoryRow(id, backwards() ? 0 : keys::kEndRow));
      if (context_.budget.Spent() && !AtEndOf(id)) return Have::kPaused;
    }
    RETURN_IF_ERROR(cursor_.status());
    return Have::kEnd;
  }

  bool AtEndOf(const DeliveryId& id) const {
    return cursor_.Valid() && cursor_.key() == keys::HistoryRow(id, keys::kEndRow);
  }

  const std::optional<EndpointId> endpoint_;
  RowCursor cursor_;
};

class FailedSource final : public RowSource {
 public:
  explicit FailedSource(ListContext& context)
      : RowSource(context),
        cursor_(context.reader, kHistory, From(context), To(context), context.query.newest_first,
                context.budget) {
    if (!context.query.subscriber_id.empty()) partition_ = PartitionOf(context.query.subscriber_id);
  }

 private:
  static std::string Row(const ListContext& context) {
    const ListPosition& after = *context.after;
    return keys::StateRow(*context.query.state, static_cast<WallMs>(after.time), after.endpoint,
                          after.sequence);
  }
  static std::string From(const ListContext& context) {
    std::string from = keys::StateFrom(*context.query.state, context.range.from);
    if (!context.after || context.query.newest_first) return from;
    return std::max(from, keys::JustAfter(Row(context)));
  }
  static std::string To(const ListContext& context) {
    std::string to = keys::StateFrom(*context.query.state, context.range.before);
    if (!context.after || !context.query.newest_first) return to;
    return std::min(to, Row(context));
  }

  absl::StatusOr<Have> Find() override {
    cursor_.Advance();
    for (; cursor_.Valid(); cursor_.Next()) {
      const std::optional<keys::MadeKey> at = keys::ParseStateRow(cursor_.key());
      if (!at) return UnknownRow();
      reached_ = PositionOf(ListOrder::kFailed, at->id, at->made_ms);
      const EndpointId endpoint = at->id.endpoint;
      if (endpoint == context_.query.endpoint.value_or(endpoint) &&
          endpoint.partition() == partition_.value_or(endpoint.partition())) {
        row_.at = reached_;
        row_.id = at->id;
        row_.failed = cursor_.value();
        return Have::kRow;
      }
      if (context_.budget.Spent()) return Have::kPaused;
    }
    RETURN_IF_ERROR(cursor_.status());
    return Have::kEnd;
  }

  std::optional<Partition> partition_;
  RowCursor cursor_;
};

class SubscriberSource final : public RowSource {
 public:
  explicit SubscriberSource(ListContext& context)
      : RowSource(context),
        subscriber_(StableHash(context.query.subscriber_id)),
        cursor_(context.reader, kHistory, From(context), To(context), context.query.newest_first,
                context.budget) {}

 private:
  static std::string Row(const ListContext& context) {
    const ListPosition& after = *context.after;
    return keys::TimeRow(StableHash(context.query.subscriber_id), static_cast<WallMs>(after.time),
                         after.endpoint, after.sequence);
  }
  static std::string From(const ListContext& context) {
    std::string from = keys::TimeFrom(StableHash(context.query.subscriber_id), context.range.from);
    if (!context.after || context.query.newest_first) return from;
    return std::max(from, keys::JustAfter(Row(context)));
  }
  static std::string To(const ListContext& context) {
    std::string to = keys::TimeFrom(StableHash(context.query.subscriber_id), context.range.before);
    if (!context.after || !context.query.newest_first) return to;
    return std::min(to, Row(context));
  }

  absl::StatusOr<Have> Find() override {
    cursor_.Advance();
    while (cursor_.Valid()) {
      const std::optional<keys::TimeKey> at = keys::ParseTimeRow(cursor_.key());
      if (!at) return UnknownRow();
      if (at->subscriber == subscriber_) {
        reached_ = PositionOf(ListOrder::kSubscriber, at->id, at->made_ms);
        row_.at = reached_;
        row_.id = at->id;
        row_.made = cursor_.value();
        return Have::kRow;
      }
      const std::optional<Bucket> bucket =
          NextBucketOf(at->id.bucket, at->subscriber > subscriber_, backwards());
      if (!bucket) return Have::kEnd;
      const WallMs start_ms = WallMs{*bucket} * kBucketMs;
      const WallMs end_ms = start_ms + kBucketMs;
      reached_ = {static_cast<uint64_t>(backwards() ? end_ms : start_ms), EndpointId{0}, 0};
      if (context_.budget.Spent()) return Have::kPaused;
      cursor_.Jump(backwards() ? keys::After(keys::TimeRow(subscriber_, end_ms - 1, EndpointId{kLast}, kLast))
                               : keys::TimeFrom(subscriber_, start_ms));
    }
    RETURN_IF_ERROR(cursor_.status());
    return Have::kEnd;
  }

  const uint64_t subscriber_;
  RowCursor cursor_;
};

// Queue and parked side by side, the queue from its cursor: its beginning may be a million tombstones away.
class LaneSource final : public RowSource {
 public:
  LaneSource(ListContext& context, EndpointId endpoint, const LaneState& lane)
      : RowSource(context), endpoint_(endpoint), lane_(lane) {}

 private:
  struct Half {
    Family family;
    std::unique_ptr<RowCursor> cursor;  // null = it has none
    std::optional<Sequence> head;       // nullopt = no more
  };

  absl::StatusOr<Have> Find() override {
    if (!begun_) {
      begun_ = true;
      if (lane_.queued > 0) RETURN_IF_ERROR(Begin(queue_, lane_.cursor));
      if (lane_.parked > 0) RETURN_IF_ERROR(Begin(parked_, 0));
    } else if (last_ != nullptr) {
      last_->cursor->Next();
      RETURN_IF_ERROR(SetHead(*last_));
    }
    last_ = First();
    if (last_ == nullptr) return Have::kEnd;
    PendingRow& pending = row_.pending.emplace();
    const std::string_view value = last_->cursor->value();
    RETURN_IF_ERROR(last_ == &queue_ ? pending.SetQueued(value) : pending.SetParked(*last_->head, value));
    row_.id = MakeDeliveryId(pending.event, pending.remade, endpoint_, *last_->head);
    row_.at = PositionOf(context_.order, row_.id, AcceptedMs(pending.event, pending.remade));
    reached_ = row_.at;
    return Have::kRow;
  }

  Half* First() {
    if (!queue_.head || !parked_.head) return queue_.head ? &queue_ : parked_.head ? &parked_ : nullptr;
    return (*queue_.head < *parked_.head) != backwards() ? &queue_ : &parked_;
  }

  absl::Status Begin(Half& half, Sequence first) {
    std::string from = keys::OfDelivery(endpoint_, first);
    std::string to = keys::OfDelivery(endpoint_, lane_.next);
    if (context_.after && context_.after->endpoint == endpoint_) {
      std::string after = keys::OfDelivery(endpoint_, context_.after->sequence);
      if (backwards()) {
        to = std::min(to, after);
      } else {
        from = std::max(from, keys::JustAfter(std::move(after)));
      }
    }
    if (from >= to) return absl::OkStatus();
    RETURN_IF_ERROR(Narrow(half.family, first, from, to));
    half.cursor =
        std::make_unique<RowCursor>(context_.reader, half.family, from, to, backwards(), context_.budget);
    half.cursor->Begin();
    return SetHead(half);
  }

  absl::Status SetHead(Half& half) const {
    half.head.reset();
    if (!half.cursor->Valid()) return half.cursor->status();
    const std::optional<keys::EndpointSequence> at = keys::ParseDelivery(half.cursor->key());
    if (!at) return UnknownRow();
    half.head = at->sequence;
    return absl::OkStatus();
  }

  // To the times asked for. Within a lane they go up with the sequence.
  absl::Status Narrow(Family family, Sequence first, std::string& from, std::string& to) const {
    RowCursor cursor(context_.reader, family, keys::OfDelivery(endpoint_, first),
                     keys::OfDelivery(endpoint_, lane_.next), false, context_.budget);
    const auto at_or_after = [&](WallMs made_ms) -> absl::StatusOr<std::string> {
      Sequence low = first;
      Sequence high = lane_.next;
      while (low < high) {
        const Sequence middle = low + (high - low) / 2;
        cursor.Jump(keys::OfDelivery(endpoint_, middle));
        RETURN_IF_ERROR(cursor.status());
        bool reaches = true;
        if (cursor.Valid()) {
          ASSIGN_OR_RETURN(const WallMs made, MadeMs(family, cursor.value()));
          reaches = made >= made_ms;
        }
        if (reaches) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      return keys::OfDelivery(endpoint_, low);
    };
    if (context_.query.accepted_from_ms > 0) {
      ASSIGN_OR_RETURN(const std::string earliest, at_or_after(context_.range.from));
      from = std::max(from, earliest);
    }
    if (context_.query.accepted_before_ms != 0) {
      ASSIGN_OR_RETURN(const std::string latest, at_or_after(context_.range.before));
      to = std::min(to, latest);
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<WallMs> MadeMs(Family family, std::string_view value) {
    PendingRow row;
    RETURN_IF_ERROR(family == kQueue ? row.SetQueued(value) : row.SetParked(0, value));
    return AcceptedMs(row.event, row.remade);
  }

  const EndpointId endpoint_;
  const LaneState lane_;
  Half queue_{kQueue, nullptr, std::nullopt};
  Half parked_{kParked, nullptr, std::nullopt};
  Half* last_ = nullptr;  // which gave row_
  bool begun_ = false;
};

class PendingSource final : public RowSource {
 public:
  explicit PendingSource(ListContext& context)
      : RowSource(context),
        cursor_(context.reader, kLanes, From(context), To(context), context.query.newest_first,
                context.budget) {}

 private:
  static std::string From(const ListContext& context) {
    const bool resumes = context.after && !context.query.newest_first;
    return keys::OfEndpoint(resumes ? context.after->endpoint : EndpointId{0});
  }
  static std::string To(const ListContext& context) {
    const bool resumes = context.after && context.query.newest_first;
    const EndpointId last{kLast};
    return keys::JustAfter(keys::OfEndpoint(resumes ? context.after->endpoint : last));
  }

  absl::StatusOr<Have> Find() override {
    for (;;) {
      if (lane_ != nullptr) {
        lane_->Pop();
        ASSIGN_OR_RETURN(const Have have, lane_->Peek());
        if (have == Have::kRow) {
          row_ = std::move(lane_->row());
          reached_ = row_.at;
          return Have::kRow;
        }
        lane_.reset();
        // Behind the lane's last.
        reached_.sequence = backwards() ? 0 : kLast;
        if (context_.budget.Spent()) return Have::kPaused;
      }
      cursor_.Advance();
      if (!cursor_.Valid()) break;
      const std::optional<EndpointId> endpoint = keys::ParseEndpoint(cursor_.key());
      if (!endpoint) return UnknownRow();
      ASSIGN_OR_RETURN(const LaneState state, records::DecodeLane(cursor_.value()));
      reached_ = {0, *endpoint, 0};
      lane_ = MakeLaneSource(context_, *endpoint, state);
    }
    RETURN_IF_ERROR(cursor_.status());
    return Have::kEnd;
  }

  RowCursor cursor_;
  std::unique_ptr<RowSource> lane_;
};

}  // namespace

absl::Status PendingRow::SetQueued(std::string_view value) {
  ASSIGN_OR_RETURN(records::Queued row, records::DecodeQueued(value));
  event = row.event;
  remade = std::move(row.remade);
  return absl::OkStatus();
}

absl::Status PendingRow::SetParked(Sequence sequence, std::string_view value) {
  ASSIGN_OR_RETURN(parked, records::DecodeParked(sequence, value));
  event = parked->event;
  remade = parked->remade;
  return absl::OkStatus();
}

RowSource::RowSource(ListContext& context) : context_(context), reached_(Beginning(context)) {}

absl::StatusOr<RowSource::Have> RowSource::Peek() {
  if (!have_) {
    row_ = {};
    ASSIGN_OR_RETURN(have_, Find());
  }
  return *have_;
}

std::unique_ptr<RowSource> MakeEndedSource(ListContext& context, std::optional<EndpointId> endpoint) {
  return std::make_unique<EndedSource>(context, endpoint);
}
std::unique_ptr<RowSource> MakeFailedSource(ListContext& context) {
  return std::make_unique<FailedSource>(context);
}
std::unique_ptr<RowSource> MakeSubscriberSource(ListContext& context) {
  return std::make_unique<SubscriberSource>(context);
}
std::unique_ptr<RowSource> MakeLaneSource(ListContext& context, EndpointId endpoint, const LaneState& lane) {
  return std::make_unique<LaneSource>(context, endpoint, lane);
}
std::unique_ptr<RowSource> MakePendingSource(ListContext& context) {
  return std::make_unique<PendingSource>(context);
}

absl::StatusOr<std::vector<std::unique_ptr<RowSource>>> MakeSources(ListContext& context) {
  const DeliveryQuery& query = context.query;
  std::vector<std::unique_ptr<RowSource>> sources;
  switch (context.order) {
    case ListOrder::kFailed:
      sources.push_back(MakeFailedSource(context));
      break;
    case ListOrder::kSubscriber:
      sources.push_back(MakeSubscriberSource(context));
      break;
    case ListOrder::kPending:
      sources.push_back(MakePendingSource(context));
      break;
    case ListOrder::kSucceeded:
      sources.push_back(MakeEndedSource(context, std::nullopt));
      break;
    case ListOrder::kEndpoint: {
      if (query.state != DeliveryState::kPending) sources.push_back(MakeEndedSource(context, query.endpoint));
      if (query.state == DeliveryState::kSucceeded) break;
      std::string value;
      ASSIGN_OR_RETURN(const bool found,
                       context.reader.Get(kLanes, keys::OfEndpoint(*query.endpoint), value));
      if (!found) break;
      ASSIGN_OR_RETURN(const LaneState lane, records::DecodeLane(value));
      sources.push_back(MakeLaneSource(context, *query.endpoint, lane));
      break;
    }
  }
  return sources;
}

}  // namespace hookd
