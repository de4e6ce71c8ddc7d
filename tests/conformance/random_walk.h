// A seeded walk of valid facts over about 20 endpoints, to hold a store to its model, or two stores to each
// other.
#pragma once

#include <optional>
#include <random>
#include <vector>

#include "storage/facts.h"
#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/store_model.h"

namespace hookd {

class RandomWalk {
 public:
  explicit RandomWalk(uint64_t seed) : random_(seed) {}

  // A fact that `model` allows; time moves on with it. Apply it to the model, or forget it.
  Fact Next(const StoreModel& model);

  WallMs now() const { return now_ms_; }
  std::mt19937_64& random() { return random_; }

 private:
  bool OneIn(uint64_t n) { return random_() % n == 0; }
  Fact NextEndpoint(const StoreModel& model);
  Fact NextAccepted(const StoreModel& model);
  Fact NextAttempt(const StoreModel& model, const ModelDelivery& row);
  Fact NextParked(const StoreModel& model, const ModelDelivery& row);
  Fact NextBatch(const StoreModel& model, const ModelDelivery& row);
  Fact NextEnded(const StoreModel& model, const ModelDelivery& row);
  std::optional<Fact> NextRedelivered(const StoreModel& model);
  Fact NextOperations();
  Fact NextJob(const StoreModel& model);
  Fact NextToken(const StoreModel& model);
  // The oldest bucket is emptied, so that buckets are dropped at all.
  const ModelDelivery* NextToDrain(const StoreModel& model);

  std::mt19937_64 random_;
  WallMs now_ms_ = kT0;
  uint64_t events_ = 0;
  Bucket drain_below_ = 0;  // what was accepted in earlier buckets ends now
};

// Gives every store the same `facts` facts, in random batches and with reopenings, and fails the test at the
// first read in which one of them differs from the model.
void WalkTogether(const std::vector<StoreHarness*>& harnesses, uint64_t seed, int facts);

}  // namespace hookd
