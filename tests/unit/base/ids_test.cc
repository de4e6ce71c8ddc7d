#include "base/ids.h"

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr uint64_t kMax48 = (uint64_t{1} << 48) - 1;
constexpr uint64_t kMax64 = std::numeric_limits<uint64_t>::max();

// Stored keys hold partitions: these numbers must never change.
TEST(PartitionTest, IsStable) {
  EXPECT_EQ(PartitionOf(""), 4033);
  EXPECT_EQ(PartitionOf("a"), 192);
  EXPECT_EQ(PartitionOf("acme"), 3468);
  EXPECT_EQ(PartitionOf("customer-42"), 2542);
  EXPECT_EQ(PartitionOf("5f3e1a9c0b7d4e2f8a6b1c3d"), 2428);
  EXPECT_EQ(PartitionOf("+34600000001"), 3560);
  EXPECT_EQ(PartitionOf(std::string_view("\xff\x00\x80", 3)), 3077);
}

TEST(PartitionTest, SpreadsSimilarIdsOverTheWholeRange) {
  std::vector<int> hits(kPartitions);
  for (int i = 0; i < 40'960; ++i) ++hits.at(PartitionOf("customer-" + std::to_string(i)));
  EXPECT_GE(std::count_if(hits.begin(), hits.end(), [](int n) { return n > 0; }), 4050);
  EXPECT_LE(*std::max_element(hits.begin(), hits.end()), 40);  // 10 on average
}

TEST(BucketTest, IsTheHourSinceTheEpoch) {
  EXPECT_EQ(BucketOf(0), 0u);
  EXPECT_EQ(BucketOf(3'599'999), 0u);
  EXPECT_EQ(BucketOf(3'600'000), 1u);
  EXPECT_EQ(BucketOf(1'760'000'399'999), 488'888u);
  EXPECT_EQ(BucketOf(1'760'000'400'000), 488'889u);
  EXPECT_EQ(BucketOf(-1), 0u);
}

TEST(EndpointIdTest, HoldsPartitionAndNumber) {
  const EndpointId id = EndpointId::Make(0x0a3f, 1);
  EXPECT_EQ(id.value, 0x0a3f000000000001u);
  EXPECT_EQ(id.partition(), 0x0a3f);
  EXPECT_EQ(EndpointId::Make(4095, kMax48).value, 0x0fffffffffffffffu);
}

TEST(EndpointIdTest, TextIsGolden) {
  EXPECT_EQ(EndpointId::Make(0x0a3f, 1).ToString(), "ep_0a3f000000000001");
  EXPECT_EQ(EndpointId{0}.ToString(), "ep_0000000000000000");
  EXPECT_EQ(EndpointId::Parse("ep_0a3f0000000000ff")->value, 0x0a3f0000000000ffu);
}

TEST(EndpointIdTest, RefusesNumbersOver48Bits) {
  EXPECT_DEATH((void)EndpointId::Make(1, kMax48 + 1), "48 bits");
}

TEST(EndpointIdTest, RefusesBadTexts) {
  for (const std::string text :
       {"", "ep_", "0a3f000000000001", "ep_0a3f00000000001", "ep_0a3f0000000000011", "ep_0A3F000000000001",
        "EP_0a3f000000000001", "ep-0a3f000000000001", "ep_0a3f00000000000g", "ep_0a3f00000000000 ",
        " ep_0a3f000000000001", "ep_+a3f000000000001"}) {
    const auto id = EndpointId::Parse(text);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(EventIdTest, HoldsTimeAndPartition) {
  const EventId id = EventId::Make(1'760'000'400'000, 7, 0x0a3f, 0x123456789abc);
  EXPECT_EQ(id.accepted_ms(), 1'760'000'400'000);
  EXPECT_EQ(id.bucket(), 488'889u);
  EXPECT_EQ(id.partition(), 0x0a3f);
  const std::array<uint8_t, 16> bytes = {0x01, 0x99, 0xc8, 0x32, 0xda, 0x80, 0x00, 0x07,
                                         0x0a, 0x3f, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
  EXPECT_EQ(id.bytes, bytes);
}

TEST(EventIdTest, TextIsGolden) {
  EXPECT_EQ(EventId::Make(1'760'000'400'000, 7, 0x0a3f, 0x123456789abc).ToString(),
            "evt_06cwgcptg000e2hz28t5cy4tqg");
  EXPECT_EQ(EventId{}.ToString(), "evt_00000000000000000000000000");
  EXPECT_EQ(EventId::Make(kMax48, 65535, 4095, kMax48).ToString(), "evt_zzzzzzzzzzzzy3zzzzzzzzzzzw");
}

TEST(EventIdTest, RefusesBadTexts) {
  for (const std::string text : {
           "",
           "evt_",
           "06cwgcptg000e2hz28t5cy4tqg",
           "evt_06cwgcptg000e2hz28t5cy4tq",    // a letter short
           "evt_06cwgcptg000e2hz28t5cy4tqg0",  // one too many
           "evt_06cwgcptg000e2hz28t5cy4tqh",   // bits after the last byte
           "evt_06CWGCPTG000E2HZ28T5CY4TQG",
           "evt_06cwgcptg000e2hz28t5cy4tu0",  // i, l, o and u are no digits
           "evt_06cwgcptg000e2hz28t5cy4ti0",
           "evt_06cwgcptg000e2hz28t5cy.tqg",
           "dlv_06cwgcptg000e2hz28t5cy4tqg",
       }) {
    const auto id = EventId::Parse(text);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(EventIdTest, OrderIsTimeThenCounterInBytesAndInText) {
  const std::vector<EventId> in_order = {
      EventId::Make(999, 65535, 4095, kMax48), EventId::Make(1'000, 0, 4095, kMax48),
      EventId::Make(1'000, 1, 0, 0),           EventId::Make(1'000, 256, 0, 0),
      EventId::Make(1'001, 0, 0, 0),           EventId::Make(1'760'000'400'000, 0, 0, 0),
  };
  for (size_t i = 1; i < in_order.size(); ++i) {
    EXPECT_LT(in_order[i - 1], in_order[i]) << i;
    EXPECT_LT(in_order[i - 1].ToString(), in_order[i].ToString()) << i;
  }
}

TEST(DeliveryIdTest, TextIsGolden) {
  EXPECT_EQ((DeliveryId{488'889, EndpointId{0x0a3f000000000001}, 1}).ToString(),
            "dlv_003qbe8a7w000000000g000000000001");
  EXPECT_EQ((DeliveryId{0xffffffff, EndpointId{kMax64}, kMax64}).ToString(),
            "dlv_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
  EXPECT_EQ(DeliveryId{}.ToString(), "dlv_00000000000000000000000000000000");
}

TEST(DeliveryIdTest, RefusesBadTexts) {
  for (const std::string text : {
           "",
           "dlv_",
           "dlv_003qbe8a7w000000000g00000000000",    // a letter short
           "dlv_003qbe8a7w000000000g0000000000010",  // one too many
           "dlv_003QBE8A7W000000000G000000000001",
           "dlv_003qbe8a7w000000000g00000000000u",
           "evt_003qbe8a7w000000000g000000000001",
           "DLV_003qbe8a7w000000000g000000000001",
       }) {
    const auto id = DeliveryId::Parse(text);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(DeliveryIdTest, OrderIsBucketEndpointSequenceInText) {
  const std::vector<DeliveryId> in_order = {
      {1, EndpointId{kMax64}, kMax64}, {2, EndpointId{1}, kMax64},  {2, EndpointId{2}, 1},
      {2, EndpointId{2}, 2},           {2, EndpointId{2}, 1 << 16}, {256, EndpointId{0}, 0},
  };
  for (size_t i = 1; i < in_order.size(); ++i) {
    EXPECT_LT(in_order[i - 1], in_order[i]) << i;
    EXPECT_LT(in_order[i - 1].ToString(), in_order[i].ToString()) << i;
  }
}

TEST(IdsTest, RandomIdsComeBackFromTheirTexts) {
  std::mt19937_64 random(20'240'607);
  for (int i = 0; i < 2'000; ++i) {
    const EndpointId endpoint{random()};
    const auto endpoint_back = EndpointId::Parse(endpoint.ToString());
    ASSERT_TRUE(endpoint_back.ok()) << endpoint.ToString();
    EXPECT_EQ(*endpoint_back, endpoint);

    EventId event;
    for (uint8_t& byte : event.bytes) byte = static_cast<uint8_t>(random());
    const auto event_back = EventId::Parse(event.ToString());
    ASSERT_TRUE(event_back.ok()) << event.ToString();
    EXPECT_EQ(*event_back, event);

    const DeliveryId delivery{static_cast<Bucket>(random()), endpoint, random()};
    const auto delivery_back = DeliveryId::Parse(delivery.ToString());
    ASSERT_TRUE(delivery_back.ok()) << delivery.ToString();
    EXPECT_EQ(*delivery_back, delivery);
  }
}

}  // namespace
}  // namespace hookd
