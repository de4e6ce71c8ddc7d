#include "dispatcher/api/convert.h"

#include <limits>

#include <absl/strings/match.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "dispatcher/api/field_mask.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/policy_convert.h"
#include "tests/unit/api/full_endpoint.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

google::protobuf::FieldMask Mask(const std::vector<std::string>& paths) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return mask;
}

TEST(ConvertTest, EndpointComesBackWithoutItsSecrets) {
  const v1::Endpoint given = FullEndpoint();
  absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->signing_keys, std::vector<SigningKey>{{"012345678901234567890123"}});
  EXPECT_EQ(endpoint->authorization.oauth2->client_secret, "unheard");
  EXPECT_EQ(endpoint->headers[1].value, "unseen");
  EXPECT_EQ(endpoint->policy.timeout, Millis(1500));
  EXPECT_EQ(endpoint->policy.max_retries, 0u);
  endpoint->id = EndpointId::Make(1, 2);
  endpoint->created_ms = 1'700'000'000'123;
  endpoint->updated_ms = 1'700'000'000'123;

  const v1::Endpoint read = ToProto(ViewOf(*endpoint));
  v1::Endpoint expected = given;
  expected.set_id("ep_0001000000000002");
  expected.set_url("https://example.com/hook?key=***");
  expected.clear_signing_secret();
  expected.mutable_headers(1)->clear_value();
  expected.mutable_create_time()->set_seconds(1'700'000'000);
  expected.mutable_create_time()->set_nanos(123'000'000);
  *expected.mutable_update_time() = expected.create_time();
  expected.mutable_health()->set_next_sequence(1);
  expected.mutable_authorization()->mutable_oauth2()->clear_client_secret();
  v1::SigningKey& key = *expected.add_signing_keys();
  key.set_scheme(v1::SIGNING_SCHEME_V1);
  key.set_fingerprint("bb9d88b612408d59");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, expected)) << read.DebugString();
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("unseen")));
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("unheard")));
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("0123456789")));
}

TEST(ConvertTest, SigningKeysAreShownWithoutTheSecrets) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  endpoint.authorization = {std::make_shared<const BasicCredentials>(BasicCredentials{"me", "unheard"}),
                            nullptr};
  endpoint.signing_keys = {{std::string(32, 'k'), SigningScheme::kV1a, 1'000, 0},
                           {std::string(32, 'k'), SigningScheme::kV1, 0, 2'000}};
  const v1::Endpoint read = ToProto(ViewOf(endpoint));
  EXPECT_EQ(read.authorization().ShortDebugString(), "basic { user: \"me\" }");
  ASSERT_EQ(read.signing_keys_size(), 2);
  EXPECT_EQ(read.signing_keys(0).scheme(), v1::SIGNING_SCHEME_V1A);
  EXPECT_EQ(read.signing_keys(0).public_key().substr(0, 5), "whpk_");
  EXPECT_EQ(read.signing_keys(0).create_time().seconds(), 1);
  EXPECT_FALSE(read.signing_keys(0).has_expire_time());
  EXPECT_EQ(read.signing_keys(1).public_key(), "");
  EXPECT_FALSE(read.signing_keys(1).has_create_time());
  EXPECT_EQ(read.signing_keys(1).expire_time().seconds(), 2);
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("kkkk")));
  EXPECT_THAT(read.DebugString(), Not(HasSubstr("a2tra")));
}

TEST(ConvertTest, UnsetFieldsTakeTheirDefaults) {
  v1::Endpoint given;
  given.set_url("http://example.com");
  const absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->policy, DeliveryPolicy());
  EXPECT_EQ(endpoint->signing_keys.size(), 1u);
  EXPECT_EQ(endpoint->signing_keys[0].key.size(), 32u);
}

TEST(ConvertTest, RateLimitAndBackoffTellUnsetFromZero) {
  v1::Endpoint given;
  given.mutable_policy()->mutable_rate_limit()->set_burst(9);
  given.mutable_policy()->mutable_backoff()->mutable_linear()->mutable_step()->set_seconds(1);
  absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->policy.rate, (RateLimit{5, 9}));
  EXPECT_EQ(endpoint->policy.backoff, LinearBackoff(Millis(1000), Millis(900'000), 0.1));
  given.mutable_policy()->mutable_rate_limit()->set_per_second(0);
  given.mutable_policy()->mutable_backoff()->set_jitter(0);
  endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->policy.rate, (RateLimit{0, 9}));
  EXPECT_EQ(endpoint->policy.backoff, LinearBackoff(Millis(1000), Millis(900'000), 0.0));
}

// Both ways, and what it is in between.
void ExpectBackoff(const v1::Backoff& given, const Backoff& expected, const v1::Backoff& read) {
  v1::Endpoint endpoint;
  *endpoint.mutable_policy()->mutable_backoff() = given;
  const absl::StatusOr<Endpoint> converted = FromProto(endpoint);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->policy.backoff, expected) << given.DebugString();
  v1::Backoff whole = read;
  whole.set_exact_first(expected.exact_first);
  EXPECT_EQ(ToProto(ViewOf(*converted)).policy().backoff().DebugString(), whole.DebugString());
}

TEST(ConvertTest, EveryKindOfBackoff) {
  v1::Backoff given;
  given.mutable_fixed()->mutable_step()->set_seconds(3);
  given.set_jitter(0);
  Backoff expected;
  expected.kind = BackoffKind::kFixed;
  expected.step = Millis(3000);
  expected.jitter = 0;
  ExpectBackoff(given, expected, given);

  given.mutable_exponential()->mutable_step()->set_seconds(1);
  given.mutable_exponential()->mutable_cap()->set_seconds(60);
  given.mutable_exponential()->set_factor(1.5);
  expected.kind = BackoffKind::kExponential;
  expected.step = Millis(1000);
  expected.cap = Millis(60'000);
  expected.factor = 1.5;
  ExpectBackoff(given, expected, given);

  given.mutable_schedule()->add_waits()->set_seconds(5);
  given.mutable_schedule()->add_waits()->set_seconds(300);
  expected = Backoff();
  expected.kind = BackoffKind::kSchedule;
  expected.schedule = {Millis(5000), Millis(300'000)};
  expected.jitter = 0;
  ExpectBackoff(given, expected, given);
}

TEST(ConvertTest, UnsetPartsOfABackoffTakeTheirDefaults) {
  v1::Backoff given;
  given.mutable_exponential();
  Backoff expected;
  expected.kind = BackoffKind::kExponential;
  v1::Backoff read;
  read.mutable_exponential()->mutable_step()->set_seconds(15);
  read.mutable_exponential()->mutable_cap()->set_seconds(900);
  read.mutable_exponential()->set_factor(2);
  read.set_jitter(0.1);
  ExpectBackoff(given, expected, read);
  given.mutable_fixed();
  expected.kind = BackoffKind::kFixed;
  read.mutable_fixed()->mutable_step()->set_seconds(15);
  ExpectBackoff(given, expected, read);
}

TEST(ConvertTest, ModesComeBack) {
  for (const auto mode : {v1::DELIVERY_MODE_ORDERED, v1::DELIVERY_MODE_KEYED, v1::DELIVERY_MODE_PARALLEL}) {
    v1::Endpoint given;
    given.mutable_policy()->set_mode(mode);
    EXPECT_EQ(ToProto(ViewOf(*FromProto(given))).policy().mode(), mode);
  }
}

TEST(ConvertTest, UnsetPartsOfAutoDisableTakeTheirDefaults) {
  v1::Endpoint given;
  given.mutable_policy()->mutable_auto_disable()->set_failures(7);
  EXPECT_EQ(FromProto(given)->policy.disable, (AutoDisable{7, Millis(3'600'000), true}));
  given.mutable_policy()->mutable_auto_disable()->set_on_gone(false);
  EXPECT_EQ(FromProto(given)->policy.disable, (AutoDisable{7, Millis(3'600'000), false}));
}

TEST(ConvertTest, ShowsWhatHoldsAnEndpoint) {
  Endpoint endpoint;
  LaneState lane;
  v1::Endpoint read = ToProto(EndpointView{std::make_shared<const Endpoint>(endpoint), lane});
  EXPECT_FALSE(read.has_disabled());
  EXPECT_FALSE(read.health().has_hold_until());
  endpoint.disabled = DisableReason::kGone;
  endpoint.disabled_ms = 5000;
  endpoint.state_note = "why";
  lane.hold_until_ms = 7000;
  read = ToProto(EndpointView{std::make_shared<const Endpoint>(endpoint), lane});
  EXPECT_EQ(read.disabled().reason(), v1::DISABLE_REASON_GONE);
  EXPECT_EQ(read.disabled().time().seconds(), 5);
  EXPECT_EQ(read.state_note(), "why");
  EXPECT_EQ(read.health().hold_until().seconds(), 7);
}

TEST(ConvertTest, EventTimes) {
  v1::NewEvent given;
  EXPECT_EQ(FromProto(given)->not_before_ms, 0);
  EXPECT_EQ(FromProto(given)->expires_ms, 0);
  given.mutable_not_before_time()->set_seconds(10);
  given.mutable_not_before_time()->set_nanos(1'999'999);
  given.mutable_expire_time()->set_seconds(11);
  EXPECT_EQ(FromProto(given)->not_before_ms, 10'001);
  EXPECT_EQ(FromProto(given)->expires_ms, 11'000);
  given.mutable_expire_time()->set_seconds(0);
  EXPECT_LT(FromProto(given)->expires_ms, 0) << "1970 is not the same as none";
  given.mutable_expire_time()->set_nanos(1'000'000'000);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("expire_time: "));
  given.mutable_not_before_time()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("not_before_time: "));
}

TEST(ConvertTest, OutputOnlyFieldsAreIgnored) {
  v1::Endpoint given = FullEndpoint();
  given.mutable_disabled()->set_reason(v1::DISABLE_REASON_GONE);
  given.set_state_note("mine");
  given.set_id("ep_0001000000000002");
  given.set_paused(true);
  given.mutable_create_time()->set_seconds(1);
  const absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->id, EndpointId());
  EXPECT_FALSE(endpoint->paused);
  EXPECT_EQ(endpoint->disabled, DisableReason::kNone);
  EXPECT_EQ(endpoint->state_note, "");
  EXPECT_EQ(endpoint->created_ms, 0);
}

TEST(ConvertTest, RefusesWhatTheModelCannotHold) {
  v1::Endpoint given = FullEndpoint();
  given.mutable_policy()->set_mode(static_cast<v1::DeliveryMode>(7));
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.mode: 7"));
  given = FullEndpoint();
  given.mutable_policy()->set_http_version(static_cast<v1::HttpVersion>(3));
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.http_version: 3"));
  given = FullEndpoint();
  given.mutable_policy()->set_kept_bodies(static_cast<v1::KeptBodies>(3));
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.kept_bodies: 3"));
  given = FullEndpoint();
  given.mutable_policy()->mutable_auto_disable()->mutable_span()->set_nanos(1);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.auto_disable.span: "));
  given = FullEndpoint();
  given.mutable_policy()->mutable_retry_after_max()->set_nanos(1);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.retry_after_max: "));
  given = FullEndpoint();
  given.mutable_policy()->mutable_backoff()->mutable_schedule()->add_waits()->set_nanos(1);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.backoff.schedule[0]: "));
  given = FullEndpoint();
  given.mutable_policy()->mutable_timeout()->set_nanos(1);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.timeout: "));
}

TEST(ConvertTest, SecretHeadersNeedAValue) {
  std::vector<Header> headers = FromProto(FullEndpoint())->headers;
  EXPECT_TRUE(CheckSecretHeaders(headers).ok());
  headers[0].value.clear();
  EXPECT_TRUE(CheckSecretHeaders(headers).ok());
  headers[1].value.clear();
  EXPECT_THAT(std::string(CheckSecretHeaders(headers).message()), HasSubstr("headers[1].value: "));
}

TEST(ConvertTest, LongListsAreRefusedBeforeTheyAreCopied) {
  const auto refusal = [](const std::function<void(v1::Endpoint&)>& lengthen) {
    v1::Endpoint given = FullEndpoint();
    for (int i = 0; i < 1100; ++i) lengthen(given);
    return std::string(FromProto(given).status().message());
  };
  EXPECT_THAT(refusal([](v1::Endpoint& e) { e.add_event_types("a"); }),
              HasSubstr("event_types: there are 1101, use at most 64"));
  EXPECT_THAT(refusal([](v1::Endpoint& e) { e.add_channels("a"); }),
              HasSubstr("channels: there are 1101, use at most 1000"));
  EXPECT_THAT(refusal([](v1::Endpoint& e) { e.add_headers(); }),
              HasSubstr("headers: there are 1102, use at most 32"));
  EXPECT_THAT(refusal([](v1::Endpoint& e) { e.mutable_policy()->add_success_codes(); }),
              HasSubstr("policy.success_codes: there are 1101"));
  EXPECT_THAT(refusal([](v1::Endpoint& e) {
                e.mutable_policy()->mutable_backoff()->mutable_schedule()->add_waits();
              }),
              HasSubstr("policy.backoff.schedule: there are 1100"));
}

TEST(ConvertTest, BadSigningSecretIsNamedAndNotEchoed) {
  v1::Endpoint given;
  given.set_signing_secret("whsec_c2hvcnQ=");
  const absl::Status status = FromProto(given).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("signing_secret"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("c2hvcnQ")));
}

TEST(ConvertTest, DurationEdges) {
  google::protobuf::Duration duration;
  duration.set_seconds(-1);
  duration.set_nanos(-500'000'000);
  EXPECT_EQ(*FromDuration(duration, "f"), Millis(-1500));
  duration.set_nanos(500'000'000);
  EXPECT_FALSE(FromDuration(duration, "f").ok());
  duration.set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_FALSE(FromDuration(duration, "f").ok());
  duration.set_seconds(0);
  duration.set_nanos(1'000'000'000);
  EXPECT_FALSE(FromDuration(duration, "f").ok());
  duration.set_nanos(1'500'000);
  EXPECT_EQ(FromDuration(duration, "f").status().message(), "f: use whole milliseconds");
}

TEST(ConvertTest, TimestampsBeforeTheEpochHavePositiveNanos) {
  EXPECT_EQ(ToTimestamp(-1).seconds(), -1);
  EXPECT_EQ(ToTimestamp(-1).nanos(), 999'000'000);
  EXPECT_EQ(ToTimestamp(1999).seconds(), 1);
  EXPECT_EQ(ToTimestamp(1999).nanos(), 999'000'000);
}

TEST(ConvertTest, AQueryIsMaskedInReads) {
  EXPECT_EQ(ToProto(ViewOf(*FromProto(FullEndpoint()))).url(), "https://example.com/hook?key=***");
  EXPECT_EQ(ToProto(ViewOf(*FromProto(FullEndpoint())), nullptr, true).url(),
            "https://example.com/hook?key=1");
}

TEST(ConvertTest, UnsetPartsOfAPolicyAreAsWhatIsGiven) {
  const DeliveryPolicy given = FromProto(FullEndpoint())->policy;
  EXPECT_EQ(*FromProto(v1::DeliveryPolicy(), given), given);
  v1::DeliveryPolicy proto;
  proto.mutable_backoff()->mutable_linear()->mutable_cap()->set_seconds(30);
  proto.mutable_rate_limit()->set_burst(2);
  proto.set_coalesce(false);
  proto.mutable_batch();
  DeliveryPolicy expected = given;
  expected.backoff.cap = Millis(30'000);
  expected.rate.burst = 2;
  expected.coalesce = false;
  expected.batch.event_types.clear();
  EXPECT_EQ(*FromProto(proto, given), expected);
  // Another kind of backoff has nothing of the given one but what all kinds have.
  proto.Clear();
  proto.mutable_backoff()->mutable_exponential()->mutable_step()->set_seconds(1);
  const Backoff backoff = FromProto(proto, given)->backoff;
  EXPECT_EQ(backoff.kind, BackoffKind::kExponential);
  EXPECT_EQ(backoff.cap, Backoff().cap);
  EXPECT_EQ(backoff.jitter, 0.5);
  EXPECT_TRUE(backoff.exact_first);
}

TEST(ConvertTest, SubscribersComeBack) {
  Subscriber subscriber;
  subscriber.id = "acme";
  subscriber.profile = "small";
  subscriber.plan = "paid";
  subscriber.strict = true;
  subscriber.alert_addresses = {"a@example.com"};
  subscriber.held_channels = {"c1", "c2"};
  const v1::Subscriber proto = ToProto(SubscriberView{subscriber, 3});
  EXPECT_EQ(proto.held_channels_size(), 2);
  const Subscriber back = FromProto(proto);
  EXPECT_EQ(back.profile, "small");
  EXPECT_EQ(back.plan, "paid");
  EXPECT_TRUE(back.strict);
  EXPECT_EQ(back.alert_addresses, subscriber.alert_addresses);
  EXPECT_TRUE(back.held_channels.empty());  // output only
}

TEST(ConvertTest, DeliveryShowsBodiesUpToItsBoundNewestFirst) {
  Delivery delivery;
  delivery.state = DeliveryState::kExhausted;
  delivery.reason = EndReason::kRetriesUsedUp;
  for (uint32_t i = 1; i <= 200; ++i) {
    Attempt attempt;
    attempt.number = i;
    attempt.error = ErrorKind::kStatus;
    attempt.response_body.assign(kKeptBodyBytes, 'x');
    delivery.attempts.push_back(attempt);
  }
  const v1::Delivery proto = ToProto(delivery);
  ASSERT_EQ(proto.attempts_size(), 200);
  EXPECT_EQ(proto.attempts(199).response_body().size(), kKeptBodyBytes);
  EXPECT_FALSE(proto.attempts(199).response_body_truncated());
  EXPECT_EQ(proto.attempts(0).response_body(), "");
  EXPECT_TRUE(proto.attempts(0).response_body_truncated());
  EXPECT_LT(proto.ByteSizeLong(), 4u * 1024 * 1024);
  EXPECT_EQ(proto.end_reason(), "retries_used_up");
}

TEST(ConvertTest, DeliveryShowsItsNewestAttempts) {
  Delivery delivery;
  delivery.attempt_count = 100'000;
  for (uint32_t i = 1; i <= delivery.attempt_count; ++i) {
    Attempt attempt;
    attempt.number = i;
    attempt.error = ErrorKind::kLocal;
    attempt.error_detail.assign(kMaxErrorDetail, 'x');
    attempt.response_body.assign(kKeptBodyBytes, 'x');
    if (i + kMaxShownAttempts <= delivery.attempt_count) attempt.response_body.clear();
    delivery.attempts.push_back(attempt);
  }
  const v1::Delivery proto = ToProto(delivery);
  ASSERT_EQ(proto.attempts_size(), static_cast<int>(kMaxShownAttempts));
  EXPECT_EQ(proto.attempts(0).number(), 99'001u);
  EXPECT_EQ(proto.attempts(proto.attempts_size() - 1).number(), 100'000u);
  EXPECT_EQ(proto.attempt_count(), 100'000u);
  EXPECT_LT(proto.ByteSizeLong(), 4u * 1024 * 1024);
}

TEST(ConvertTest, AttemptShowsOnlyThePhasesThatHappened) {
  Delivery delivery;
  Attempt attempt;
  attempt.us.first_byte = 1'500'001;
  attempt.http_version = 11;
  attempt.error = ErrorKind::kTimeout;
  attempt.error_detail = "bad \xff byte";
  delivery.attempts.push_back(attempt);
  const v1::Delivery proto = ToProto(delivery);
  const v1::AttemptPhases& phases = proto.attempts(0).phases();
  EXPECT_FALSE(phases.has_connect());
  EXPECT_EQ(phases.first_byte().seconds(), 1);
  EXPECT_EQ(phases.first_byte().nanos(), 500'001'000);
  EXPECT_EQ(proto.attempts(0).http_version(), "1.1");
  EXPECT_EQ(proto.attempts(0).error_kind(), "timeout");
  EXPECT_EQ(proto.attempts(0).error_detail(), "bad ? byte");
  EXPECT_FALSE(proto.attempts(0).has_next_due_time());
  EXPECT_EQ(proto.end_reason(), "");
}

TEST(ConvertTest, DeliveryStates) {
  EXPECT_EQ(*FromProto(v1::DELIVERY_STATE_UNSPECIFIED), std::nullopt);
  EXPECT_EQ(*FromProto(v1::DELIVERY_STATE_EXPIRED), DeliveryState::kExpired);
  EXPECT_FALSE(FromProto(static_cast<v1::DeliveryState>(99)).ok());
}

TEST(FieldMaskTest, ListsWhatMayBeChanged) {
  const std::vector<absl::string_view> allowed = {"name", "policy", "policy.mode", "policy.timeout"};
  EXPECT_TRUE(CheckFieldMask(Mask({"policy.mode", "name"}), allowed).ok());
  const absl::Status empty = CheckFieldMask(Mask({}), allowed);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("of: name, policy, policy.mode, policy.timeout"));
  // What may have been meant: the parts of what was named, or else the top ones.
  for (const auto& [path, choices] : {std::pair("id", "use: name, policy"),
                                      {"", "use: name, policy"},
                                      {"Name", "use: name, policy"},
                                      {"secret.id", "use: name, policy"},
                                      {"policy.mode.x", "use: policy.mode, policy.timeout"},
                                      {"policy.", "use: policy.mode, policy.timeout"}}) {
    const absl::Status status = CheckFieldMask(Mask({"name", path}), allowed);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::EndsWith(status.message(), choices)) << status.message();
  }
}

TEST(FieldMaskTest, NamesEachPathOnce) {
  const std::vector<absl::string_view> allowed = {"name", "policy.mode"};
  EXPECT_EQ(CheckFieldMask(Mask({"name", "name"}), allowed).message(),
            "update_mask: names name twice, name it once");
  const absl::Status status = CheckFieldMask(Mask(std::vector<std::string>(300'000, "name")), allowed);
  EXPECT_EQ(status.message(), "update_mask: names 300000 paths, name each once, of: name, policy.mode");
}

TEST(GrpcStatusTest, KeepsCodeAndMessage) {
  for (int code = 0; code <= 16; ++code) {
    const grpc::Status status = ToGrpc(absl::Status(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), code == 0 ? "" : "why");
  }
  EXPECT_EQ(ToGrpc(absl::Status(static_cast<absl::StatusCode>(77), "odd")).error_code(),
            grpc::StatusCode::UNKNOWN);
}

TEST(GrpcStatusTest, CutsLongMessages) {
  const grpc::Status status = ToGrpc(absl::InternalError(std::string(100'000, 'x')));
  EXPECT_EQ(status.error_message().size(), kMaxStatusMessage);
}

}  // namespace
}  // namespace hookd
