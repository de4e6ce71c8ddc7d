#include "dispatcher/tools/bin_store.h"

#include <gmock/gmock.h>

namespace hookd {
namespace {

class FakeClock final : public Clock {
 public:
  WallMs Wall() const override { return now; }
  SteadyTime Steady() const override { return SteadyTime(Millis(now)); }
  WallMs now = 1'700'000'000'000;
};

CapturedRequest Request(std::string body, std::vector<Header> headers = {}) {
  CapturedRequest request;
  request.method = "POST";
  request.target = "/";
  request.body_bytes = body.size();
  request.body = std::move(body);
  request.headers = std::move(headers);
  return request;
}

class BinStoreTest : public ::testing::Test {
 protected:
  std::vector<uint64_t> Numbers(const std::string& id, uint64_t before = 0, size_t limit = 1000) {
    std::vector<uint64_t> numbers;
    const auto page = bins_.List(id, before, limit);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return numbers;
    for (const CapturedPtr& one : *page) numbers.push_back(one->number);
    return numbers;
  }

  Endpoint Captured(WallMs until_ms) {
    Endpoint endpoint;
    endpoint.id = EndpointId::Make(1, 7);
    endpoint.capture = Capture{NewBinId(), until_ms, false};
    return endpoint;
  }

  FakeClock clock_;
  BinStore bins_{clock_};
};

TEST_F(BinStoreTest, IdsCannotBeGuessed) {
  EXPECT_THAT(NewBinId(), ::testing::MatchesRegex("bin_[0-9a-f]{40}"));
  EXPECT_NE(NewBinId(), NewBinId());
}

TEST_F(BinStoreTest, KeepsNewestFirst) {
  const BinView bin = *bins_.Create(202, Millis(60'000));
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(bins_.Keep(bin.id, Request(std::to_string(i))), 202);
  EXPECT_THAT(Numbers(bin.id), ::testing::ElementsAre(3, 2, 1));
  EXPECT_THAT(Numbers(bin.id, 3), ::testing::ElementsAre(2, 1));
  EXPECT_THAT(Numbers(bin.id, 3, 1), ::testing::ElementsAre(2));
  EXPECT_EQ((*bins_.Read(bin.id, 2))->body, "2");
  EXPECT_EQ((*bins_.Read(bin.id, 2))->time_ms, clock_.now);
  EXPECT_EQ(bins_.Read(bin.id, 4).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(bins_.Get(bin.id)->requests, 3u);
}

TEST_F(BinStoreTest, AnUnknownOneTakesNothing) {
  EXPECT_EQ(bins_.Keep("bin_x", Request("")), std::nullopt);
  EXPECT_EQ(bins_.Get("bin_x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(bins_.List("bin_x", 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(bins_.Delete("bin_x").code(), absl::StatusCode::kNotFound);
}

TEST_F(BinStoreTest, TheOldestGoForNewerOnes) {
  const BinView bin = *bins_.Create(200, Millis(60'000));
  for (int i = 0; i < 203; ++i) bins_.Keep(bin.id, Request("x"));
  EXPECT_EQ(Numbers(bin.id).size(), 200u);
  EXPECT_EQ(Numbers(bin.id).back(), 4u);
  EXPECT_EQ(bins_.Get(bin.id)->dropped, 3u);
  const absl::Status gone = bins_.Read(bin.id, 3).status();
  EXPECT_THAT(std::string(gone.message()), ::testing::EndsWith("keeps no request 3 any more"));
}

TEST_F(BinStoreTest, ByBytesToo) {
  const BinView bin = *bins_.Create(200, Millis(60'000));
  for (int i = 0; i < 6; ++i) bins_.Keep(bin.id, Request(std::string(1'000'000, 'x')));
  EXPECT_THAT(Numbers(bin.id), ::testing::ElementsAre(6, 5, 4, 3));
  EXPECT_LE(bins_.Get(bin.id)->bytes, kMaxBinBytes);
}

TEST_F(BinStoreTest, AllBinsTogetherAreBounded) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(bins_.Create(200, Millis(60'000))->id);
  size_t bytes = 0;
  for (const std::string& id : ids) {
    for (int i = 0; i < 4; ++i) bins_.Keep(id, Request(std::string(1'000'000, 'x')));
    bytes += bins_.Get(id)->bytes;
  }
  EXPECT_LE(bytes, kMaxBinsBytes);
  EXPECT_GT(bytes, kMaxBinsBytes - 2'000'000);
  EXPECT_GT(bins_.Get(ids.back())->dropped, 0u) << "the others have it all";
  ASSERT_TRUE(bins_.Delete(ids.front()).ok());
  bins_.Keep(ids.back(), Request(std::string(1'000'000, 'x')));
  EXPECT_EQ(bins_.Get(ids.back())->requests, 1u) << "there is room again";
}

TEST_F(BinStoreTest, AHundredBins) {
  std::string first;
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<BinView> bin = bins_.Create(200, Millis(60'000 + i));
    ASSERT_TRUE(bin.ok());
    if (i == 0) first = bin->id;
  }
  EXPECT_EQ(bins_.Create(200, Millis(60'000)).status().message(), "there are 100 bins: delete one of them");
  bins_.ForCapture(Captured(clock_.now + 1));
  EXPECT_FALSE(bins_.Get(first).ok()) << "a capture makes room: what goes first went";
  clock_.now += 60'050;
  EXPECT_TRUE(bins_.Create(200, Millis(60'000)).ok()) << "those that have expired are gone";
}

TEST_F(BinStoreTest, ANewCaptureTakesNobodyElsesPlace) {
  const std::string others = bins_.Create(200, Millis(60'000))->id;
  for (size_t i = 1; i < kMaxBins; ++i) ASSERT_TRUE(bins_.Create(200, Millis(90'000)).ok());
  Endpoint endpoint = Captured(clock_.now + 1'000);
  EXPECT_EQ(bins_.ForNewCapture(endpoint, 0).status().message(), "there are 100 bins: delete one of them");
  EXPECT_TRUE(bins_.Get(others).ok());
  clock_.now += 60'000;
  ASSERT_TRUE(bins_.ForNewCapture(endpoint, 0).ok()) << "one has expired";
  bins_.CaptureEnded(endpoint.capture->bin);
  const std::string earlier = std::exchange(endpoint.capture->bin, NewBinId());
  ASSERT_TRUE(bins_.ForNewCapture(endpoint, 0).ok());
  EXPECT_FALSE(bins_.Get(earlier).ok()) << "its own";
  EXPECT_TRUE(bins_.Get(endpoint.capture->bin).ok());
}

TEST_F(BinStoreTest, EndsWithItsTime) {
  const BinView bin = *bins_.Create(200, Millis(60'000));
  clock_.now += 59'999;
  EXPECT_TRUE(bins_.Get(bin.id).ok());
  clock_.now += 1;
  EXPECT_FALSE(bins_.Get(bin.id).ok());
  EXPECT_EQ(bins_.Keep(bin.id, Request("")), std::nullopt);
}

TEST_F(BinStoreTest, ACapturesBinMasksSecretHeadersAndOutlivesIt) {
  Endpoint endpoint = Captured(clock_.now + 1'000);
  endpoint.headers = {{"X-Key", "hush", true}, {"X-Open", "seen", false}};
  endpoint.policy.success = {{204, 204}};
  const BinView bin = bins_.ForCapture(endpoint);
  EXPECT_EQ(bin.id, endpoint.capture->bin);
  EXPECT_EQ(bin.endpoint, endpoint.id);
  EXPECT_EQ(bin.status, 204) << "what the endpoint takes for a success";
  EXPECT_EQ(bins_.Captures(), 1u);
  bins_.Keep(bin.id, Request("", {{"x-key", "hush"}, {"X-Open", "seen"}}));
  const CapturedPtr kept = *bins_.Read(bin.id, 1);
  EXPECT_THAT(kept->headers,
              ::testing::ElementsAre(Header{"x-key", "", true}, Header{"X-Open", "seen", false}));
  EXPECT_EQ(bins_.ForCapture(endpoint, 503).status, 503);
  EXPECT_EQ(bins_.ForCapture(endpoint).status, 503);
  clock_.now += 1'000;
  EXPECT_EQ(bins_.Captures(), 0u);
  clock_.now += 3'599'999;
  EXPECT_TRUE(bins_.Get(bin.id).ok());
  clock_.now += 1;
  EXPECT_FALSE(bins_.Get(bin.id).ok());
}

TEST_F(BinStoreTest, WatchersAreWokenOnce) {
  const BinView bin = *bins_.Create(200, Millis(60'000));
  int woken = 0;
  const auto wake = [&woken] { ++woken; };
  EXPECT_EQ(*bins_.Next(bin.id, 0, wake), nullptr);
  bins_.Keep(bin.id, Request("1"));
  bins_.Keep(bin.id, Request("2"));
  EXPECT_EQ(woken, 1);
  EXPECT_EQ((*bins_.Next(bin.id, 0, wake))->body, "1");
  EXPECT_EQ((*bins_.Next(bin.id, 1, wake))->body, "2");
  EXPECT_EQ(*bins_.Next(bin.id, 2, wake), nullptr);
  EXPECT_TRUE(bins_.Delete(bin.id).ok());
  EXPECT_EQ(woken, 2) << "it went";
  EXPECT_EQ(bins_.Next(bin.id, 2, wake).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BinStoreTest, TooManyWakesAreAllWoken) {
  const BinView bin = *bins_.Create(200, Millis(60'000));
  int woken = 0;
  for (int i = 0; i < 257; ++i) EXPECT_EQ(*bins_.Next(bin.id, 0, [&woken] { ++woken; }), nullptr);
  EXPECT_EQ(woken, 256);
}

TEST_F(BinStoreTest, ThirtyTwoReadsAtATime) {
  std::vector<std::shared_ptr<void>> places;
  for (int i = 0; i < 32; ++i) places.push_back(bins_.TakeRead());
  EXPECT_EQ(bins_.TakeRead(), nullptr);
  places.pop_back();
  EXPECT_NE(bins_.TakeRead(), nullptr);
}

}  // namespace
}  // namespace hookd
