// Probes in virtual time: a tick a second, over the store in memory, with a sender that is a function of the
// test's.
#include "dispatcher/tools/prober.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/core/signature.h"
#include "storage/memory_store.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr WallMs kStart = 1'700'000'000'000;
constexpr WallMs kMinute = 60'000;
const std::string kKey(32, 'k');

class VirtualClock final : public Clock {
 public:
  WallMs Wall() const override { return now; }
  SteadyTime Steady() const override { return SteadyTime(Millis(now)); }
  WallMs now = kStart;
};

class FakeSender final : public OneShot {
 public:
  struct Sent {
    WallMs at = 0;  // since the start
    HttpRequest request;
  };
  explicit FakeSender(const VirtualClock& clock) : clock_(clock) {}

  absl::Status Send(HttpRequest request, Callback done) override {
    if (full) return absl::ResourceExhaustedError("full");
    sent.push_back({clock_.now - kStart, std::move(request)});
    if (hold) {
      held.push_back(std::move(done));
    } else {
      done(Result());
    }
    return absl::OkStatus();
  }
  void Release() {
    for (Callback& done : std::exchange(held, {})) done(Result());
  }

  std::vector<Sent> sent;
  std::vector<Callback> held;
  int status = 500;  // 0 = nobody answers
  bool hold = false;
  bool full = false;

 private:
  HttpResult Result() const {
    HttpResult result;
    result.status = status;
    if (status == 0) result.error = ErrorKind::kConnect;
    return result;
  }
  const VirtualClock& clock_;
};

class ProberTest : public ::testing::Test {
 protected:
  ProberTest() {
    EXPECT_TRUE(store_->Recover().ok());
    PutSubscriber(false);
    Start();
  }

  // Another one over the same store, as after a restart.
  void Start() {
    prober_ = std::make_unique<Prober>(sender_, *store_, clock_, "hookd/test");
    Prober::Hooks hooks;
    hooks.enable = [this](const Endpoint& probed) {
      enabled_.push_back(clock_.now - kStart);
      Endpoint endpoint = probed;
      endpoint.disabled = DisableReason::kNone;
      endpoint.disabled_ms = 0;
      Put(endpoint);
      return absl::OkStatus();
    };
    hooks.may_send = [this] { return !all_paused_; };
    hooks.done = [this](ErrorKind error) { ++done_[error]; };
    prober_->Start(std::move(hooks), true);
  }
  void Commit() { ASSERT_TRUE(store_->Commit(clock_.now).ok()); }
  void PutSubscriber(bool paused) {
    Subscriber subscriber;
    subscriber.id = "acme";
    subscriber.paused = paused;
    store_->Apply(SubscriberChanged{subscriber});
    Commit();
  }
  void Put(const Endpoint& endpoint) {
    store_->Apply(EndpointChanged{std::make_shared<const Endpoint>(endpoint), false});
    Commit();
    prober_->Configured(endpoint);
  }
  // Disabled now; probed 5 min later, and up to an hour apart.
  Endpoint Disabled(uint64_t number = 1, DisableReason reason = DisableReason::kFailures) {
    Endpoint endpoint;
    endpoint.id = EndpointId::Make(PartitionOf("acme"), number);
    endpoint.subscriber_id = "acme";
    endpoint.url = "https://hooks.example/in";
    endpoint.signing_keys = {{kKey}};
    endpoint.policy.probe = {Millis(5 * kMinute), Millis(60 * kMinute)};
    endpoint.disabled = reason;
    endpoint.disabled_ms = clock_.now;
    return endpoint;
  }
  // Ticks once a second, the last time at `until`, since the start.
  void RunUntil(WallMs until) {
    while (clock_.now < kStart + until) {
      clock_.now += 1'000;
      prober_->Tick();
    }
  }
  // When each was sent, since the start in seconds.
  std::vector<WallMs> SentAt() const {
    std::vector<WallMs> times;
    for (const FakeSender::Sent& one : sender_.sent) times.push_back(one.at / 1'000);
    return times;
  }

  std::unique_ptr<DeliveryStore> store_ = MakeMemoryStore();
  VirtualClock clock_;
  FakeSender sender_{clock_};
  std::vector<WallMs> enabled_;
  std::map<ErrorKind, int> done_;
  bool all_paused_ = false;
  std::unique_ptr<Prober> prober_;
};

TEST_F(ProberTest, ItIsSentToTheSecondUntilOneSucceeds) {
  Put(Disabled());
  RunUntil(70 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 900, 2'100));  // 5, 15 and 35 min; the next at 75
  EXPECT_THAT(enabled_, IsEmpty());
  sender_.status = 204;
  RunUntil(24 * 60 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 900, 2'100, 4'500));
  EXPECT_THAT(enabled_, ElementsAre(4'501'000)) << "with the tick after its answer";
  EXPECT_EQ(done_, (std::map<ErrorKind, int>{{ErrorKind::kNone, 1}, {ErrorKind::kStatus, 3}}));
}

TEST_F(ProberTest, ItIsASignedEventOfItsOwnType) {
  Put(Disabled());
  RunUntil(5 * kMinute);
  ASSERT_THAT(sender_.sent, SizeIs(1));
  const HttpRequest& request = sender_.sent[0].request;
  EXPECT_EQ(request.method, HttpMethod::kPost);
  EXPECT_EQ(request.url, "https://hooks.example/in");
  std::map<std::string, std::string> headers(request.headers.begin(), request.headers.end());
  EXPECT_EQ(headers["hookd-event-type"], "hookd.test");
  EXPECT_EQ(headers["User-Agent"], "hookd/test");
  EXPECT_EQ(headers.count("hookd-sequence"), 0u);
  EXPECT_EQ(headers["webhook-signature"],
            SignV1({kKey}, headers["webhook-id"], (kStart + 5 * kMinute) / 1000, request.body));
  EXPECT_THAT(std::string(request.body),
              ::testing::StartsWith(
                  Concat("{\"type\":\"hookd.test\",\"endpoint_id\":\"", Disabled().id.ToString(), "\",")));
}

TEST_F(ProberTest, OnlyTheEndpointsSuccessCodesCount) {
  sender_.status = 404;
  Endpoint endpoint = Disabled();
  endpoint.policy.success = {{404, 404}};
  Put(endpoint);
  RunUntil(6 * kMinute);
  EXPECT_THAT(enabled_, SizeIs(1));
}

TEST_F(ProberTest, WhatAPersonDisabledOrNobodyWantsProbedIsLeftAlone) {
  Put(Disabled(1, DisableReason::kPerson));
  Put(Disabled(2, DisableReason::kUrlCleared));
  Put(Disabled(3, DisableReason::kUnverified));
  Endpoint unwanted = Disabled(4);
  unwanted.policy.probe.first = Millis(0);
  Put(unwanted);
  Put(Disabled(5, DisableReason::kGone));
  RunUntil(6 * kMinute);
  ASSERT_THAT(sender_.sent, SizeIs(1));
  EXPECT_THAT(std::string(sender_.sent[0].request.body), ::testing::HasSubstr(Disabled(5).id.ToString()));
}

TEST_F(ProberTest, APersonsWordEndsTheProbes) {
  Put(Disabled());
  RunUntil(6 * kMinute);
  Endpoint endpoint = Disabled();
  endpoint.disabled = DisableReason::kPerson;
  Put(endpoint);
  RunUntil(3 * 60 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300));
}

TEST_F(ProberTest, WhatWasDeletedIsForgotten) {
  Put(Disabled());
  store_->Apply(EndpointDeleted{Disabled().id, "acme"});
  Commit();
  RunUntil(3 * 60 * kMinute);
  EXPECT_THAT(sender_.sent, IsEmpty());
}

TEST_F(ProberTest, ARestartKeepsTheTimes) {
  Put(Disabled());
  RunUntil(10 * kMinute);
  Start();
  RunUntil(30 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 900));
  // Down from 30 to 70 min, over the probe at 35: it is not made up for.
  clock_.now = kStart + 70 * kMinute;
  Start();
  RunUntil(80 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 900, 4'500));
}

TEST_F(ProberTest, NothingIsSentWhileSomethingIsPausedOrCaptured) {
  Endpoint paused = Disabled(1);
  paused.paused = true;
  Put(paused);
  Endpoint captured = Disabled(2);
  captured.capture = Capture{"bin_1", kStart + 10 * kMinute, false};
  Put(captured);
  RunUntil(6 * kMinute);
  EXPECT_THAT(sender_.sent, IsEmpty());
  paused.paused = false;
  Put(paused);
  PutSubscriber(true);
  RunUntil(16 * kMinute);
  EXPECT_THAT(sender_.sent, IsEmpty()) << "the subscriber is paused at 15 min";
  PutSubscriber(false);
  all_paused_ = true;
  RunUntil(40 * kMinute);
  EXPECT_THAT(sender_.sent, IsEmpty());
  all_paused_ = false;
  RunUntil(41 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(2'401, 2'401)) << "due since 35 min";
}

TEST_F(ProberTest, AFewBeginInATickAndEightAreInFlight) {
  sender_.hold = true;
  for (uint64_t number = 1; number <= 100; ++number) Put(Disabled(number));
  RunUntil(5 * kMinute + 30'000);
  EXPECT_THAT(SentAt(), ElementsAre(300, 300, 300, 300, 301, 301, 301, 301));
  sender_.hold = false;
  sender_.Release();
  RunUntil(10 * kMinute);
  EXPECT_THAT(sender_.sent, SizeIs(100));
  std::map<WallMs, int> by_second;
  for (const WallMs at : SentAt()) ++by_second[at];
  for (const auto& [second, count] : by_second) EXPECT_LE(count, 4) << second;
  EXPECT_EQ(by_second.rbegin()->first, 353) << "92 more, 4 a second from 331 on";
}

TEST_F(ProberTest, OneThatIsInFlightIsNotSentAgain) {
  sender_.hold = true;
  Put(Disabled());
  RunUntil(20 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300)) << "15 min passed over it";
  sender_.Release();
  RunUntil(36 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 2'100));
}

TEST_F(ProberTest, WhenTheToolsAreBusyItComesWithTheNextTick) {
  sender_.full = true;
  Put(Disabled());
  RunUntil(5 * kMinute + 10'000);
  sender_.full = false;
  RunUntil(6 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(311));
}

TEST_F(ProberTest, TheScanAtTheStartFindsEveryPage) {
  for (uint64_t number = 1; number <= 4'500; ++number) {
    Endpoint endpoint = Disabled(number, number % 1'000 == 0 ? DisableReason::kGone : DisableReason::kNone);
    store_->Apply(EndpointChanged{std::make_shared<const Endpoint>(endpoint), false});
  }
  Commit();
  Start();
  RunUntil(6 * kMinute);
  EXPECT_THAT(SentAt(), ElementsAre(300, 300, 300, 300));
}

}  // namespace
}  // namespace hookd
