#include <memory>

#include <gtest/gtest.h>

#include "tests/conformance/delivery_store_suite.h"
#include "tests/conformance/random_walk.h"

namespace hookd {
namespace {

TEST_P(DeliveryStoreSuite, RandomWalkAgreesWithTheModel) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const std::unique_ptr<StoreHarness> harness = GetParam().make();
    WalkTogether({harness.get()}, seed, 2'000);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace hookd
