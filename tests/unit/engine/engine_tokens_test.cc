// Tokens through the engine.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/core/access_token.h"
#include "dispatcher/engine/token_changes.h"
#include "tests/unit/engine/engine_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EngineTokensTest : public EngineTest {
 protected:
  static AccessToken For(std::vector<std::string> subscribers) {
    AccessToken token;
    token.subscriber_ids = std::move(subscribers);
    return token;
  }
  MadeToken Make(AccessToken token, OldTokens old = OldTokens::kKeep) {
    const absl::StatusOr<MadeToken> made = engine_->MakeToken(std::move(token), old);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.value_or(MadeToken{});
  }
  void SetUrl(EndpointId id, const std::string& url) {
    ASSERT_TRUE(engine_
                    ->UpdateEndpoint(id,
                                     [&](Endpoint& endpoint) {
                                       endpoint.url = url;
                                       return absl::OkStatus();
                                     })
                    .ok());
  }
  absl::StatusCode Authenticated(const std::string& text) {
    return engine_->Authenticate(text).status().code();
  }
};

TEST_F(EngineTokensTest, SeveralAreValidAtOnceUntilRevoked) {
  CreateSubscriber();
  const MadeToken one = Make(For({"acme"}));
  const MadeToken two = Make(For({"acme"}));
  EXPECT_EQ(*engine_->Authenticate(one.text), one.token);
  EXPECT_EQ(*engine_->Authenticate(two.text), two.token);
  EXPECT_THAT(*engine_->ListTokens("acme", 0, 10), SizeIs(2));

  EXPECT_TRUE(engine_->RevokeToken(one.token.id).ok());
  EXPECT_EQ(Authenticated(one.text), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Authenticated(two.text), absl::StatusCode::kOk);
  EXPECT_EQ(engine_->RevokeToken(one.token.id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Authenticated("hkt_nonsense"), absl::StatusCode::kUnauthenticated);
}

TEST_F(EngineTokensTest, ABindingNeedsItsSubscribers) {
  CreateSubscriber();
  const absl::Status refused = engine_->MakeToken(For({"acme", "nobody"}), OldTokens::kKeep).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("no subscriber nobody"));
  EXPECT_THAT(*engine_->ListTokens("", 0, 10), IsEmpty());
}

TEST_F(EngineTokensTest, ASubscriberHasAtMostTwenty) {
  CreateSubscriber();
  for (size_t i = 0; i < kMaxTokensPerSubscriber; ++i) Make(For({"acme"}));
  const absl::Status refused = engine_->MakeToken(For({"acme"}), OldTokens::kKeep).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  const MadeToken only = Make(For({"acme"}), OldTokens::kRevoke);
  EXPECT_THAT(*engine_->ListTokens("acme", 0, 100), ElementsAre(only.token));
}

TEST_F(EngineTokensTest, WithItsSubscriberGoesWhatIsBoundToItAlone) {
  CreateSubscriber();
  Subscriber beta;
  beta.id = "beta";
  ASSERT_TRUE(engine_->CreateSubscriber(beta).ok());
  const MadeToken own = Make(For({"acme"}));
  const MadeToken partner = Make(For({"acme", "beta"}));
  ASSERT_TRUE(engine_->DeleteSubscriber("acme").ok());
  EXPECT_EQ(Authenticated(own.text), absl::StatusCode::kUnauthenticated);
  ASSERT_EQ(Authenticated(partner.text), absl::StatusCode::kOk);
  EXPECT_THAT(engine_->Authenticate(partner.text)->subscriber_ids, ElementsAre("beta"));
}

TEST_F(EngineTokensTest, ANewKeyMayTakeTheUrlAwayAndWhatQueuedGoesToTheNewOne) {
  CreateSubscriber();
  const EndpointId id = CreateEndpoint(DeliveryMode::kOrdered);
  const std::string url = engine_->GetEndpoint(id)->endpoint->url;
  const MadeToken old = Make(For({"acme"}));
  const MadeToken fresh = Make(For({"acme"}), OldTokens::kRevokeAndClear);
  EXPECT_EQ(Authenticated(old.text), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Authenticated(fresh.text), absl::StatusCode::kOk);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->url, "");
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kUrlCleared);

  Publish("waits");
  const absl::Status enabled = engine_->EnableEndpoint(id, "").status();
  EXPECT_EQ(enabled.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(enabled.message()), HasSubstr("set one"));
  EXPECT_EQ(engine_->GetEndpoint(id)->lane.pending(), 1u);
  EXPECT_EQ(receiver_.requests().size(), 0u);

  SetUrl(id, url);
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("waits"));
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kNone);
}

TEST_F(EngineTokensTest, WhatAPersonDisabledStaysDisabledWithANewUrl) {
  CreateSubscriber();
  const EndpointId id = CreateEndpoint(DeliveryMode::kOrdered);
  ASSERT_TRUE(engine_->DisableEndpoint(id, "fraud").ok());
  const WallMs since = engine_->GetEndpoint(id)->endpoint->disabled_ms;
  Make(For({"acme"}), OldTokens::kRevokeAndClear);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->url, "");
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kPerson);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled_ms, since);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->state_note, "fraud");

  // It cannot be enabled without a URL, and a URL does not enable it.
  EXPECT_EQ(engine_->EnableEndpoint(id, "").status().code(), absl::StatusCode::kFailedPrecondition);
  BulkChange enable;
  enable.action = EndpointAction::kEnable;
  enable.filter.subscriber_id = "acme";
  EXPECT_THAT(engine_->ChangeEndpoints(enable)->changed, ElementsAre());
  Publish("waits");
  SetUrl(id, "http://127.0.0.1:1/other");
  LetShardsRun(id);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kPerson);
  EXPECT_EQ(receiver_.requests().size(), 0u);
  ASSERT_TRUE(engine_->EnableEndpoint(id, "").ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("waits"));
}

TEST_F(EngineTokensTest, WhatIsUnverifiedStaysThatWithANewUrl) {
  CreateSubscriber();
  const EndpointId id =
      CreateEndpoint(DeliveryMode::kOrdered, [](Endpoint& it) { it.disabled = DisableReason::kUnverified; });
  Make(For({"acme"}), OldTokens::kRevokeAndClear);
  SetUrl(id, "http://127.0.0.1:1/other");
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kUnverified);
}

TEST_F(EngineTokensTest, WhatWasDisabledForItsFailuresWaitsForTheNewUrlAlone) {
  receiver_.SetHandler([](const SentRequest&) { return 410; });
  CreateSubscriber();
  const EndpointId id = CreateEndpoint(DeliveryMode::kOrdered);
  Publish("waits");
  ASSERT_TRUE(receiver_.WaitForCount(1));
  while (engine_->GetEndpoint(id)->endpoint->disabled == DisableReason::kNone) std::this_thread::yield();
  Make(For({"acme"}), OldTokens::kRevokeAndClear);
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kUrlCleared);
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  SetUrl(id, "http://127.0.0.1:1/other");
  WaitUntilDone();
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kNone);
}

}  // namespace
}  // namespace hookd
