#include "dispatcher/api/convert.h"

#include <limits>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "dispatcher/api/field_mask.h"
#include "dispatcher/api/grpc_status.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";

google::protobuf::FieldMask Mask(const std::vector<std::string>& paths) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return mask;
}

v1::Endpoint FullEndpoint() {
  v1::Endpoint endpoint;
  endpoint.set_subscriber_id("acme");
  endpoint.set_description("words");
  endpoint.set_url("https://example.com/hook?key=1");
  endpoint.add_event_types("message:*");
  endpoint.add_channels("c1");
  v1::Header& plain = *endpoint.add_headers();
  plain.set_name("X-Plain");
  plain.set_value("seen");
  v1::Header& secret = *endpoint.add_headers();
  secret.set_name("X-Secret");
  secret.set_value("unseen");
  secret.set_secret(true);
  v1::DeliveryPolicy& policy = *endpoint.mutable_policy();
  policy.set_mode(v1::DELIVERY_MODE_PARALLEL);
  policy.set_max_in_flight(3);
  policy.mutable_timeout()->set_seconds(1);
  policy.mutable_timeout()->set_nanos(500'000'000);
  v1::StatusRange& range = *policy.add_success_codes();
  range.set_first(200);
  range.set_last(204);
  policy.set_max_retries(0);
  policy.mutable_backoff()->mutable_linear()->mutable_step()->set_seconds(2);
  policy.mutable_backoff()->mutable_linear()->mutable_cap()->set_seconds(60);
  policy.mutable_backoff()->set_jitter(0.5);
  policy.mutable_rate_limit()->set_per_second(7);
  policy.mutable_rate_limit()->set_burst(9);
  endpoint.set_signing_secret(kSecret);
  return endpoint;
}

EndpointView ViewOf(Endpoint endpoint) {
  return {std::make_shared<const Endpoint>(std::move(endpoint)), LaneState{}};
}

TEST(ConvertTest, EndpointComesBackWithoutItsSecrets) {
  const v1::Endpoint given = FullEndpoint();
  absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ(endpoint->signing_keys, std::vector<std::string>{"012345678901234567890123"});
  EXPECT_EQ(endpoint->headers[1].value, "unseen");
  EXPECT_EQ(endpoint->policy.timeout, Millis(1500));
  EXPECT_EQ(endpoint->policy.max_retries, 0u);
  endpoint->id = EndpointId::Make(1, 2);
  endpoint->created_ms = 1'700'000'000'123;
  endpoint->updated_ms = 1'700'000'000'123;

  const v1::Endpoint read = ToProto(ViewOf(*endpoint));
  v1::Endpoint expected = given;
  expected.set_id("ep_0001000000000002");
  expected.clear_signing_secret();
  expected.mutable_headers(1)->clear_value();
  expected.mutable_create_time()->set_seconds(1'700'000'000);
  expected.mutable_create_time()->set_nanos(123'000'000);
  *expected.mutable_update_time() = expected.create_time();
  expected.mutable_health()->set_next_sequence(1);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, expected)) << read.DebugString();
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("unseen")));
  EXPECT_THAT(read.SerializeAsString(), Not(HasSubstr("0123456789")));
}

TEST(ConvertTest, UnsetFieldsTakeTheirDefaults) {
  v1::Endpoint given;
  given.set_url("http://example.com");
  const absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->policy, DeliveryPolicy());
  EXPECT_EQ(endpoint->signing_keys.size(), 1u);
  EXPECT_EQ(endpoint->signing_keys[0].size(), 32u);
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

TEST(ConvertTest, OutputOnlyFieldsAreIgnored) {
  v1::Endpoint given = FullEndpoint();
  given.set_id("ep_0001000000000002");
  given.set_paused(true);
  given.mutable_create_time()->set_seconds(1);
  const absl::StatusOr<Endpoint> endpoint = FromProto(given);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_EQ(endpoint->id, EndpointId());
  EXPECT_FALSE(endpoint->paused);
  EXPECT_EQ(endpoint->created_ms, 0);
}

TEST(ConvertTest, RefusesWhatTheModelCannotHold) {
  v1::Endpoint given = FullEndpoint();
  given.mutable_policy()->set_mode(static_cast<v1::DeliveryMode>(7));
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.mode: 7"));
  given = FullEndpoint();
  given.mutable_policy()->mutable_timeout()->set_nanos(1);
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("policy.timeout: "));
  given = FullEndpoint();
  given.mutable_headers(1)->clear_value();
  EXPECT_THAT(std::string(FromProto(given).status().message()), HasSubstr("headers[1].value: "));
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

TEST(ConvertTest, UpdateChangesOnlyWhatTheMaskNames) {
  const Endpoint before = *FromProto(FullEndpoint());
  v1::Endpoint from;
  from.set_url("http://other");
  from.set_description("other");
  from.mutable_policy()->mutable_timeout()->set_seconds(9);
  from.mutable_policy()->set_max_retries(5);
  Endpoint after = before;
  ASSERT_TRUE(ApplyUpdate(from, Mask({"url", "policy.timeout"}), after).ok());
  Endpoint expected = before;
  expected.url = "http://other";
  expected.policy.timeout = Millis(9000);
  EXPECT_EQ(ToProto(ViewOf(after)).DebugString(), ToProto(ViewOf(expected)).DebugString());
}

TEST(ConvertTest, EveryPolicyPathChangesItsFieldAlone) {
  v1::Endpoint from;
  const DeliveryPolicy before = FromProto(FullEndpoint())->policy;
  const DeliveryPolicy defaults;
  const std::vector<std::pair<std::string, std::function<void(DeliveryPolicy&)>>> paths = {
      {"policy.mode", [&](DeliveryPolicy& p) { p.mode = defaults.mode; }},
      {"policy.max_in_flight", [&](DeliveryPolicy& p) { p.max_in_flight = defaults.max_in_flight; }},
      {"policy.timeout", [&](DeliveryPolicy& p) { p.timeout = defaults.timeout; }},
      {"policy.success_codes", [&](DeliveryPolicy& p) { p.success = defaults.success; }},
      {"policy.max_retries", [&](DeliveryPolicy& p) { p.max_retries = defaults.max_retries; }},
      {"policy.backoff", [&](DeliveryPolicy& p) { p.backoff = defaults.backoff; }},
      {"policy.rate_limit", [&](DeliveryPolicy& p) { p.rate = defaults.rate; }},
      {"policy", [&](DeliveryPolicy& p) { p = defaults; }},
  };
  for (const auto& [path, reset] : paths) {
    Endpoint endpoint;
    endpoint.policy = before;
    ASSERT_TRUE(ApplyUpdate(from, Mask({path}), endpoint).ok()) << path;
    DeliveryPolicy expected = before;
    reset(expected);
    EXPECT_EQ(endpoint.policy, expected) << path;
    EXPECT_NE(endpoint.policy, before) << path;
  }
}

TEST(ConvertTest, SecretHeaderWithoutAValueKeepsTheOneItHas) {
  Endpoint endpoint = *FromProto(FullEndpoint());
  v1::Endpoint from;
  v1::Header& header = *from.add_headers();
  header.set_name("x-secret");
  header.set_secret(true);
  ASSERT_TRUE(ApplyUpdate(from, Mask({"headers"}), endpoint).ok());
  ASSERT_EQ(endpoint.headers.size(), 1u);
  EXPECT_EQ(endpoint.headers[0].value, "unseen");
  header.set_name("X-Plain");  // had a value, but not a secret one
  EXPECT_FALSE(ApplyUpdate(from, Mask({"headers"}), endpoint).ok());
}

TEST(ConvertTest, UpdateDoesNotTakeAnEmptySigningSecret) {
  Endpoint endpoint;
  EXPECT_EQ(ApplyUpdate({}, Mask({"signing_secret"}), endpoint).code(), absl::StatusCode::kInvalidArgument);
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
  const std::vector<absl::string_view> allowed = {"name", "policy.mode"};
  EXPECT_TRUE(CheckFieldMask(Mask({"policy.mode", "name", "name"}), allowed).ok());
  for (const std::vector<std::string>& paths :
       {std::vector<std::string>{}, {"name", "id"}, {"policy"}, {"policy.mode.x"}, {""}, {"Name"}}) {
    const absl::Status status = CheckFieldMask(Mask(paths), allowed);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("name, policy.mode"));
  }
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
