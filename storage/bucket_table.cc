#include "storage/bucket_table.h"

#include <algorithm>

#include "base/check.h"

namespace hookd {

BucketView& BucketTable::Change(Bucket bucket) {
  changed_.insert(bucket);
  BucketView& view = buckets_[bucket];
  view.bucket = bucket;
  return view;
}

void BucketTable::End(DeliveryId delivery, EventId event, WallMs ended_ms) {
  BucketView& view = Change(delivery.bucket);
  HOOKD_CHECK(view.pending > 0, "a bucket counts what is pending in it");
  --view.pending;
  view.last_ended_ms = std::max(view.last_ended_ms, ended_ms);
  if (event.bucket() == delivery.bucket) return;
  BucketView& events = Change(event.bucket());
  HOOKD_CHECK(events.pins > 0, "a bucket counts what needs its payloads");
  --events.pins;
}

void BucketTable::Apply(const Accepted& fact) {
  BucketView& view = Change(fact.event->id.bucket());
  view.pending += fact.deliveries.size();
  view.payload_bytes += fact.event->payload.size();
  view.payloads_gone = false;
}

void BucketTable::Apply(const Redelivered& fact) {
  const Bucket made = BucketOf(fact.remade->accepted_ms);
  const Bucket accepted = fact.event->id.bucket();
  const BucketView* found = Find(accepted);
  HOOKD_CHECK(found != nullptr && !found->payloads_gone, "what is made anew needs its payload");
  ++Change(made).pending;
  if (made != accepted) ++Change(accepted).pins;
}

void BucketTable::Apply(const AttemptRecorded& fact) {
  if (IsTerminal(fact.state)) {
    End(fact.delivery, fact.event, fact.attempt.started_ms + fact.attempt.us.total / 1000);
  }
}

void BucketTable::Apply(const DeliveryEnded& fact) { End(fact.delivery, fact.event, fact.at_ms); }

void BucketTable::Apply(const EventErased& fact) {
  const BucketView* found = Find(fact.event.bucket());
  HOOKD_CHECK(found != nullptr && !found->payloads_gone && found->payload_bytes >= fact.payload_bytes,
              "what is erased is there");
  Change(fact.event.bucket()).payload_bytes -= fact.payload_bytes;
}

void BucketTable::Apply(const BucketDropped& fact) {
  const BucketView* found = Find(fact.bucket);
  HOOKD_CHECK(found != nullptr && found->pending == 0 && found->pins == 0,
              "a bucket goes when nothing of it is pending");
  BucketView& view = Change(fact.bucket);
  view.payload_bytes = 0;
  view.payloads_gone = true;
  if (fact.history) buckets_.erase(fact.bucket);
}

const BucketView* BucketTable::Find(Bucket bucket) const {
  const auto it = buckets_.find(bucket);
  return it == buckets_.end() ? nullptr : &it->second;
}

std::vector<BucketView> BucketTable::Views() const {
  std::vector<BucketView> views;
  views.reserve(buckets_.size());
  for (const auto& [bucket, view] : buckets_) views.push_back(view);
  return views;
}

std::optional<BucketTable::Gap> BucketTable::GapAround(Bucket bucket, Kind kind) const {
  Gap gap{0, bucket + 1};
  for (const auto& [number, view] : buckets_) {
    if (kind == Kind::kPayloads && view.payloads_gone) {
      gap.end = std::max(gap.end, number + 1);
      continue;
    }
    if (number == bucket) return std::nullopt;
    if (number > bucket) {
      gap.end = number;
      break;
    }
    gap.first = number + 1;
  }
  return gap;
}

std::vector<std::pair<Bucket, const BucketView*>> BucketTable::TakeChanged() {
  std::vector<std::pair<Bucket, const BucketView*>> changed;
  changed.reserve(changed_.size());
  for (const Bucket bucket : changed_) changed.emplace_back(bucket, Find(bucket));
  changed_.clear();
  return changed;
}

}  // namespace hookd
