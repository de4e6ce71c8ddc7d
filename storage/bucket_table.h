// What each bucket of acceptance still holds, in memory, as the committer sees it. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "storage/delivery_store.h"
#include "storage/facts.h"

namespace hookd {

class BucketTable {
 public:
  // A committed bucket, at recovery.
  void Load(const BucketView& bucket) { buckets_[bucket.bucket] = bucket; }

  // A fact that ends more than is pending, or drops what is, is a programmer's error.
  void Apply(const Accepted& fact);
  void Apply(const Redelivered& fact);
  void Apply(const AttemptRecorded& fact);
  void Apply(const DeliveryEnded& fact);
  void Apply(const BucketDropped& fact);
  void Apply(const EventErased& fact);

  // Null = nothing is stored of it.
  const BucketView* Find(Bucket bucket) const;
  std::vector<BucketView> Views() const;  // oldest first

  // The widest range around `bucket` in which no bucket has payloads, or (kHistory) anything at all; upwards
  // it ends with the newest bucket known. Nullopt = this one has.
  enum class Kind { kPayloads, kHistory };
  struct Gap {
    Bucket first = 0;
    Bucket end = 0;  // exclusive
    bool operator==(const Gap&) const = default;
  };
  std::optional<Gap> GapAround(Bucket bucket, Kind kind) const;

  // The buckets that changed since the last call, each once; null = gone. Valid until the next Apply.
  std::vector<std::pair<Bucket, const BucketView*>> TakeChanged();

 private:
  BucketView& Change(Bucket bucket);
  void End(DeliveryId delivery, EventId event, WallMs ended_ms);

  std::map<Bucket, BucketView> buckets_;
  std::set<Bucket> changed_;
};

}  // namespace hookd
