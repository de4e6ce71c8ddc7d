#include "dispatcher/api/authenticator.h"

#include <gmock/gmock.h>

#include "dispatcher/core/access_token.h"
#include "tests/unit/api/auth_fixture.h"

namespace hookd::testing {
namespace {

using ::testing::HasSubstr;

class SetClock final : public Clock {
 public:
  WallMs Wall() const override { return wall; }
  SteadyTime Steady() const override { return steady; }
  WallMs wall = RealClock().Wall();
  SteadyTime steady{std::chrono::hours(1)};
};

class AuthenticatorTest : public AuthTest {
 protected:
  static AuthOptions Slow() {
    AuthOptions options = Required();
    options.calls = {2, 3, RateUnit::kRequest};
    return options;
  }
  absl::StatusCode Try(const std::string& text, const std::string& remote = "192.0.2.1") {
    return authenticator_.Authenticate("Bearer " + text, remote).status().code();
  }
  uint64_t Count(AuthFailure why) const { return telemetry_.auth_failures(why); }

  SetClock clock_;
  Authenticator authenticator_{Slow(), *engine_, telemetry_, clock_};
};

TEST_F(AuthenticatorTest, TellsWhoCalls) {
  const std::string token = Token(TokenRole::kSubscriber, {"acme"});
  const absl::StatusOr<Caller> caller = authenticator_.Authenticate("bearer " + token, "192.0.2.1");
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->token->role, TokenRole::kSubscriber);
  EXPECT_TRUE(caller->Owns("acme"));
  EXPECT_FALSE(caller->Owns("beta"));
  const absl::StatusOr<Caller> operator_ =
      authenticator_.Authenticate("Bearer " + Token(TokenRole::kOperator), "192.0.2.1");
  EXPECT_EQ(operator_->Subscribers(), nullptr);
  EXPECT_TRUE(operator_->Owns("beta"));
}

TEST_F(AuthenticatorTest, SaysWhatIsMissing) {
  EXPECT_THAT(authenticator_.Authenticate("", "192.0.2.1").status().message(),
              HasSubstr("authorization: is missing: send \"Bearer hkt_...\""));
  EXPECT_THAT(authenticator_.Authenticate("Basic eDp5", "192.0.2.1").status().message(),
              HasSubstr("is no bearer token"));
  const absl::Status wrong = authenticator_.Authenticate("Bearer hkt_x", "192.0.2.1").status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(wrong.message(), HasSubstr("hookctl tokens create"));
  EXPECT_EQ(Count(AuthFailure::kMissing), 1u);
  EXPECT_EQ(Count(AuthFailure::kInvalid), 2u);
}

TEST_F(AuthenticatorTest, TheRightIdWithAnotherSecretIsWrong) {
  std::string token = Token(TokenRole::kViewer);
  EXPECT_EQ(Try(token), absl::StatusCode::kOk);
  token.back() = token.back() == '0' ? '1' : '0';
  EXPECT_EQ(Try(token), absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, WhatIsRevokedIsRefusedAtOnceAlthoughItIsHeld) {
  const std::string token = Token(TokenRole::kViewer);
  EXPECT_EQ(Try(token), absl::StatusCode::kOk);
  EXPECT_EQ(Try(token), absl::StatusCode::kOk);
  Revoke(token);
  EXPECT_EQ(Try(token), absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, AHeldTokenExpires) {
  AccessToken asked;
  asked.role = TokenRole::kViewer;
  asked.expires_ms = clock_.wall + 60'000;
  const MadeToken made = *engine_->MakeToken(asked, OldTokens::kKeep);
  EXPECT_EQ(Try(made.text), absl::StatusCode::kOk);
  Caller caller = *authenticator_.Authenticate("Bearer " + made.text, "192.0.2.1");
  EXPECT_TRUE(authenticator_.StillValid(caller).ok());
  clock_.wall += 60'000;
  EXPECT_EQ(Try(made.text), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(absl::IsUnauthenticated(authenticator_.StillValid(caller)));
}

TEST_F(AuthenticatorTest, ATokenBoundOtherwiseIsNoLongerTheOneThatACallBeganWith) {
  const std::string token = Token(TokenRole::kSubscriber, {"acme", "beta"});
  Caller caller = *authenticator_.Authenticate("Bearer " + token, "192.0.2.1");
  ASSERT_TRUE(engine_->DeleteSubscriber("beta").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(authenticator_.StillValid(caller)));
  EXPECT_FALSE(authenticator_.Authenticate("Bearer " + token, "192.0.2.1")->Owns("beta"));
}

TEST_F(AuthenticatorTest, CallsOfATokenAreBounded) {
  const std::string token = Token(TokenRole::kViewer);
  const std::string another = Token(TokenRole::kViewer);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Try(token), absl::StatusCode::kOk);
  EXPECT_EQ(Try(token), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Try(another), absl::StatusCode::kOk);
  clock_.steady += std::chrono::milliseconds(500);
  EXPECT_EQ(Try(token), absl::StatusCode::kOk);
  EXPECT_EQ(Try(token), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Count(AuthFailure::kRate), 2u);
}

TEST_F(AuthenticatorTest, AnAddressWithManyWrongOnesIsSlowedButNotWhatIsHeld) {
  const std::string held = Token(TokenRole::kViewer);
  EXPECT_EQ(Try(held), absl::StatusCode::kOk);
  const std::string wrong = GenerateToken().text;
  for (uint32_t i = 0; i < kWrongTokensBurst; ++i) EXPECT_EQ(Try(wrong), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Try(wrong), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Try("x"), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Try(held), absl::StatusCode::kOk);
  EXPECT_EQ(Try(wrong, "192.0.2.2"), absl::StatusCode::kUnauthenticated);
  const std::string fresh = Token(TokenRole::kViewer);
  EXPECT_EQ(Try(fresh), absl::StatusCode::kResourceExhausted);  // it is not held yet
  clock_.steady += std::chrono::seconds(1);
  EXPECT_EQ(Try(fresh), absl::StatusCode::kOk);
  EXPECT_EQ(Count(AuthFailure::kInvalid), kWrongTokensBurst + 1);
  EXPECT_EQ(Count(AuthFailure::kSlowed), 3u);
}

TEST_F(AuthenticatorTest, AddressesThatAreCountedAreBounded) {
  for (size_t i = 0; i < kMaxWrongAddresses + 100; ++i) {
    const std::string remote = "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                               std::to_string(i % 256);
    EXPECT_EQ(Try("x", remote), absl::StatusCode::kUnauthenticated);
  }
}

TEST(AddressKeyTest, AreAddressesAndHalvesOfSix) {
  EXPECT_NE(AddressKey("192.0.2.1"), AddressKey("192.0.2.2"));
  EXPECT_EQ(AddressKey("2001:db8::1"), AddressKey("2001:db8::ffff:0:0:2"));
  EXPECT_NE(AddressKey("2001:db8:0:1::1"), AddressKey("2001:db8:0:2::1"));
  EXPECT_NE(AddressKey("::ffff:192.0.2.1"), AddressKey("::ffff:192.0.2.2"));
}

}  // namespace
}  // namespace hookd::testing
