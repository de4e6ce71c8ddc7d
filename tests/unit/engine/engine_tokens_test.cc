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

  ASSERT_TRUE(engine_
                  ->UpdateEndpoint(id,
                                   [&](Endpoint& endpoint) {
                                     endpoint.url = url;
                                     return absl::OkStatus();
                                   })
                  .ok());
  WaitUntilDone();
  EXPECT_THAT(Bodies(), ElementsAre("waits"));
  EXPECT_EQ(engine_->GetEndpoint(id)->endpoint->disabled, DisableReason::kNone);
}

}  // namespace
}  // namespace hookd
