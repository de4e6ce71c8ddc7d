// The cursor that shows what a capture holds.
#include "dispatcher/tools/captures.h"

#include <map>
#include <thread>

#include <gmock/gmock.h>

#include "dispatcher/core/signature.h"
#include "storage/memory_store.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;

class CapturesTest : public ::testing::Test {
 protected:
  CapturesTest() {
    EXPECT_TRUE(store_->Recover().ok());
    Subscriber subscriber;
    subscriber.id = "acme";
    store_->Apply(SubscriberChanged{subscriber});
    endpoint_.id = EndpointId::Make(PartitionOf("acme"), 1);
    endpoint_.subscriber_id = "acme";
    endpoint_.url = "https://hooks.example:8443/in?key=hush";
    endpoint_.signing_keys = {{std::string(32, 'k')}};
    endpoint_.headers = {{"X-Key", "hush", true}};
    endpoint_.capture = Capture{NewBinId(), RealClock().Wall() + 60'000, false};
    store_->Apply(EndpointChanged{std::make_shared<Endpoint>(endpoint_), false});
    Commit();
  }

  void Commit() { ASSERT_TRUE(store_->Commit(RealClock().Wall()).ok()); }

  void Accept(const std::string& payload) {
    auto event = std::make_shared<Event>();
    ++counter_;
    event->id = EventId::Make(RealClock().Wall(), counter_, PartitionOf("acme"), counter_);
    event->accepted_ms = event->id.accepted_ms();
    event->subscriber_id = "acme";
    event->type = "t";
    event->payload = payload;
    Accepted fact;
    fact.event = event;
    fact.deliveries = {{endpoint_.id, store_->Lane(endpoint_.id)->next}};
    store_->Apply(fact);
    Commit();
    events_.push_back(event);
  }
  void Tell() { captures_.Pending(std::make_shared<Endpoint>(endpoint_)); }

  // Waits for the n-th, and gives all bodies in order.
  std::vector<std::string> WaitFor(uint64_t count) {
    const std::string& bin = endpoint_.capture->bin;
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (RealClock().Steady() < deadline) {
      const absl::StatusOr<BinView> view = bins_.Get(bin);
      if (view.ok() && view->newest >= count) break;
      std::this_thread::yield();
    }
    std::vector<std::string> bodies;
    for (uint64_t i = 1; bins_.Read(bin, i).ok(); ++i) bodies.push_back((*bins_.Read(bin, i))->body);
    return bodies;
  }

  uint16_t counter_ = 0;
  std::vector<std::shared_ptr<Event>> events_;
  Endpoint endpoint_;
  std::unique_ptr<DeliveryStore> store_ = MakeMemoryStore();
  BinStore bins_{RealClock()};
  Captures captures_{bins_, *store_, RealClock(), "hookd/test", "http://127.0.0.1:7071"};
};

TEST_F(CapturesTest, ShowsEachOnceInOrderAndFollowsNewOnes) {
  for (int i = 0; i < 70; ++i) Accept(std::to_string(i));
  Tell();
  std::vector<std::string> bodies = WaitFor(70);
  ASSERT_EQ(bodies.size(), 70u) << "over two pages";
  for (int i = 0; i < 70; ++i) EXPECT_EQ(bodies[i], std::to_string(i));
  Tell();
  Accept("70");
  Tell();
  Tell();
  EXPECT_EQ(WaitFor(71).back(), "70");
  Accept("71");
  Tell();
  bodies = WaitFor(72);
  EXPECT_EQ(bodies.size(), 72u) << "none twice";
}

TEST_F(CapturesTest, LooksAsTheRequestWould) {
  Accept("{\"a\": 1}");
  Tell();
  ASSERT_EQ(WaitFor(1).size(), 1u);
  const CapturedPtr shown = *bins_.Read(endpoint_.capture->bin, 1);
  EXPECT_EQ(shown->method, "POST");
  EXPECT_EQ(shown->target, "/in?...") << "a URL's query is a secret";
  EXPECT_EQ(shown->status, 0);
  EXPECT_EQ(shown->remote_address, "");
  std::map<std::string, std::string> headers;
  std::vector<std::string> names;
  for (const Header& header : shown->headers) {
    headers[header.name] = header.value;
    names.push_back(header.name);
  }
  EXPECT_THAT(names, ElementsAre("Host", "Accept", "Content-Type", "User-Agent", "webhook-id",
                                 "webhook-timestamp", "webhook-signature", "hookd-attempt",
                                 "hookd-event-type", "X-Key", "Content-Length"));
  EXPECT_EQ(headers["Host"], "hooks.example:8443");
  EXPECT_EQ(headers["Content-Length"], "8");
  EXPECT_EQ(headers["X-Key"], "") << "masked";
  EXPECT_EQ(headers["webhook-signature"], SignV1(endpoint_.signing_keys[0].key, events_[0]->id.ToString(),
                                                 std::stoll(headers["webhook-timestamp"]), "{\"a\": 1}"));
}

TEST_F(CapturesTest, ACaptureThatIsOverShowsNothing) {
  Accept("1");
  endpoint_.capture->until_ms = RealClock().Wall();
  Tell();
  EXPECT_FALSE(bins_.Get(endpoint_.capture->bin).ok());
}

TEST_F(CapturesTest, TheBinIsThereForOneThatDelivers) {
  endpoint_.capture->delivers = true;
  const std::string& bin = endpoint_.capture->bin;
  EXPECT_EQ(captures_.BinUrl(endpoint_), "http://127.0.0.1:7071/bin/" + bin);
  EXPECT_TRUE(bins_.Get(bin).ok());
}

}  // namespace
}  // namespace hookd
