// What every DeliveryStore promises. The tests are the TEST_Ps in delivery_store_*.cc; a store takes part by
// INSTANTIATE_TEST_SUITE_P(Name, DeliveryStoreSuite, testing::Values(StoreParam{...})).
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/check.h"
#include "storage/delivery_store.h"
#include "tests/conformance/fact_builders.h"

namespace hookd {

// A store and the place where it keeps its data. Both are gone with the harness.
class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  // A fresh store. Called once.
  virtual std::unique_ptr<DeliveryStore> Open() = 0;
  // Takes the store away, by closing or by crashing it, and opens what is left of it.
  virtual std::unique_ptr<DeliveryStore> Reopen(std::unique_ptr<DeliveryStore> store) = 0;
};

struct StoreParam {
  std::string name;
  std::function<std::unique_ptr<StoreHarness>()> make;
};
inline void PrintTo(const StoreParam& param, std::ostream* out) { *out << param.name; }

// A delivery, and what facts about it have to name.
struct DeliveryRef {
  DeliveryId id;
  EventId event;
  WallMs made_ms = 0;
  RemadePtr remade = nullptr;
};

class DeliveryStoreSuite : public testing::TestWithParam<StoreParam> {
 protected:
  DeliveryStoreSuite();

  DeliveryStore& store() { return *store_; }
  DeliveryStore::Recovered Reopen();

  // Commits at `now`, or at kT0.
  void Commit(WallMs now = kT0);

  // Applied, not committed. Endpoint `number` of subscriber "acme".
  EndpointId AddEndpoint(uint64_t number);
  DeliveryRef Accept(EndpointId endpoint, WallMs accepted_ms = kT0, std::string payload = "{}");
  std::vector<DeliveryRef> AcceptMany(EndpointId endpoint, int count);
  // A delivery for the event of `of`, which ended as `state` says (kPending: it replaces nothing).
  DeliveryRef Redeliver(const DeliveryRef& of, WallMs made_ms, DeliveryState state,
                        Origin origin = Origin::kRecover);
  // The attempt after those already made; succeeded if `error` is kNone, else parked until due_ms.
  // The cursor goes behind the delivery if it came from the queue.
  void Attempt(const DeliveryRef& delivery, uint32_t number, ErrorKind error, WallMs due_ms = kT0 + 15'000);
  // Attempts from here on leave these with the lane.
  void SetRateAndHold(WallMs rate_tat_ms, WallMs hold_until_ms) {
    rate_tat_ms_ = rate_tat_ms;
    hold_until_ms_ = hold_until_ms;
  }
  // From the queue, without an attempt. The cursor goes behind it.
  void Park(const DeliveryRef& delivery, uint64_t key_hash, WallMs due_ms = 0);
  void Delete(EndpointId endpoint);
  void End(const DeliveryRef& delivery, DeliveryState state, uint32_t attempts_made = 0);

  // Sequences of every page, the pages holding at most `page` deliveries; fails when they hold more.
  std::vector<Sequence> ListSequences(DeliveryQuery query, size_t page);
  std::vector<Sequence> QueueSequences(EndpointId endpoint, Sequence from = 1);
  std::vector<Sequence> ParkedSequences(EndpointId endpoint);

 private:
  std::unique_ptr<StoreHarness> harness_;
  std::unique_ptr<DeliveryStore> store_;
  uint16_t events_ = 0;
  WallMs rate_tat_ms_ = 0;
  WallMs hold_until_ms_ = 0;
};

}  // namespace hookd
