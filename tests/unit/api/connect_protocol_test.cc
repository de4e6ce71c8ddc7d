#include "dispatcher/api/connect_protocol.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "hookd/v1/event_service.pb.h"
#include "hookd/v1/operations_service.pb.h"

namespace hookd {
namespace {

namespace http = boost::beast::http;
using std::chrono::milliseconds;

constexpr char kStatus[] = "/hookd.v1.OperationsService/GetStatus";

class ConnectProtocolTest : public ::testing::Test {
 protected:
  // Makes sure that the services are linked in.
  ConnectProtocolTest() { EXPECT_NE(v1::ServerStatus::descriptor(), nullptr); }

  static ConnectHeader Read(const std::vector<std::pair<std::string, std::string>>& headers,
                            const char* target = kStatus, http::verb verb = http::verb::post) {
    HttpRequestHeader request;
    request.method(verb);
    request.target(target);
    request.set("Content-Type", "application/json");
    for (const auto& [name, value] : headers) request.set(name, value);
    return ReadConnectHeader(request, *google::protobuf::DescriptorPool::generated_pool());
  }

  static unsigned RefusedWith(const std::vector<std::pair<std::string, std::string>>& headers) {
    const ConnectHeader header = Read(headers);
    return header.refusal.has_value() ? header.refusal->result_int() : 0;
  }
};

TEST_F(ConnectProtocolTest, APlainPostIsACall) {
  const ConnectHeader header = Read({{"Authorization", "Bearer x"}});
  ASSERT_FALSE(header.refusal.has_value());
  EXPECT_EQ(header.method->name(), "GetStatus");
  EXPECT_TRUE(header.form.json);
  EXPECT_FALSE(header.form.stream);
  EXPECT_EQ(header.timeout, kDefaultCallTimeout);
  EXPECT_EQ(header.authorization, "Bearer x");
}

TEST_F(ConnectProtocolTest, OnlyAddressesAndLocalhostAreCalled) {
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:7071", "[::1]:7071", "LocalHost:7071", "10.0.0.7"}) {
    EXPECT_EQ(RefusedWith({{"Host", host}}), 0u) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:7071", "localhost.evil.example", "127.0.0.1.evil.example:7"}) {
    EXPECT_EQ(RefusedWith({{"Host", host}}), 403u) << host;
  }
}

TEST_F(ConnectProtocolTest, PollsCountAsWhatLasts) {
  EXPECT_FALSE(Read({}).lasting);
  EXPECT_TRUE(Read({}, "/hookd.v1.EventService/PollEvents").lasting);
  EXPECT_FALSE(Read({}, "/hookd.v1.EventService/PublishEvent").lasting);
  EXPECT_TRUE(
      Read({{"Content-Type", "application/connect+json"}}, "/hookd.v1.DeliveryService/WatchDeliveries")
          .lasting);
}

TEST_F(ConnectProtocolTest, MediaTypes) {
  EXPECT_EQ(RefusedWith({{"Content-Type", "Application/JSON; charset=UTF-8"}}), 0u);
  EXPECT_FALSE(Read({{"Content-Type", "application/proto"}}).form.json);
  for (const char* type : {"", "text/plain", "application/json; charset=latin1", "application/connect+json",
                           "application/grpc", "application/jsonx"}) {
    EXPECT_EQ(RefusedWith({{"Content-Type", type}}), 415u) << type;
  }
  EXPECT_EQ((*Read({{"Content-Type", "text/plain"}}).refusal)["Accept-Post"],
            "application/json, application/proto");
}

TEST_F(ConnectProtocolTest, Timeouts) {
  EXPECT_EQ(Read({{"Connect-Timeout-Ms", "250"}}).timeout, milliseconds(250));
  EXPECT_EQ(Read({{"Connect-Timeout-Ms", "9999999999"}}).timeout, kMaxCallTimeout);
  for (const char* timeout : {"-1", "1.5", "1s", "99999999999", "0x10", " 1 2"}) {
    EXPECT_EQ(RefusedWith({{"Connect-Timeout-Ms", timeout}}), 400u) << timeout;
  }
}

TEST_F(ConnectProtocolTest, VersionsAndEncodings) {
  EXPECT_EQ(RefusedWith({{"Connect-Protocol-Version", "1"}}), 0u);
  EXPECT_EQ(RefusedWith({{"Connect-Protocol-Version", "2"}}), 400u);
  EXPECT_EQ(RefusedWith({{"Content-Encoding", "identity"}}), 0u);
  const ConnectHeader gzip = Read({{"Content-Encoding", "gzip"}});
  EXPECT_EQ(gzip.refusal->result_int(), 501u);
  EXPECT_EQ((*gzip.refusal)["Accept-Encoding"], "identity");
  EXPECT_EQ(RefusedWith({{"Authorization", "Bearer \xc3\xa4"}}), 400u);
}

TEST_F(ConnectProtocolTest, PathsAndMethods) {
  for (const char* target :
       {"/hookd.v1.OperationsService", "/hookd.v1.OperationsService/", "/hookd.v1.No/GetStatus",
        "/hookd.v1.OperationsService/getStatus", "/hookd.v1.OperationsService/GetStatus/"}) {
    EXPECT_EQ(Read({}, target).refusal->result_int(), 404u) << target;
  }
  EXPECT_FALSE(Read({}, "/hookd.v1.OperationsService/GetStatus?x=1").refusal.has_value());
  const ConnectHeader get = Read({}, kStatus, http::verb::get);
  EXPECT_EQ(get.refusal->result_int(), 405u);
  EXPECT_EQ((*get.refusal)[http::field::allow], "POST");
  const ConnectHeader stream = Read({}, "/hookd.v1.EventService/PublishStream");
  EXPECT_EQ(stream.refusal->result_int(), 501u);
  EXPECT_EQ(stream.refusal->body(),
            R"({"code":"unimplemented","message":"streams of the client need gRPC, see docs/api.md"})");
}

TEST_F(ConnectProtocolTest, EveryCodeHasItsNameAndStatus) {
  const std::vector<std::tuple<absl::StatusCode, std::string, unsigned>> codes = {
      {absl::StatusCode::kCancelled, "canceled", 499},
      {absl::StatusCode::kUnknown, "unknown", 500},
      {absl::StatusCode::kInvalidArgument, "invalid_argument", 400},
      {absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504},
      {absl::StatusCode::kNotFound, "not_found", 404},
      {absl::StatusCode::kAlreadyExists, "already_exists", 409},
      {absl::StatusCode::kPermissionDenied, "permission_denied", 403},
      {absl::StatusCode::kResourceExhausted, "resource_exhausted", 429},
      {absl::StatusCode::kFailedPrecondition, "failed_precondition", 400},
      {absl::StatusCode::kAborted, "aborted", 409},
      {absl::StatusCode::kOutOfRange, "out_of_range", 400},
      {absl::StatusCode::kUnimplemented, "unimplemented", 501},
      {absl::StatusCode::kInternal, "internal", 500},
      {absl::StatusCode::kUnavailable, "unavailable", 503},
      {absl::StatusCode::kDataLoss, "data_loss", 500},
      {absl::StatusCode::kUnauthenticated, "unauthenticated", 401},
  };
  for (const auto& [code, name, status] : codes) {
    const HttpAnswer answer = MakeError({}, absl::Status(code, "a \"b\""));
    EXPECT_EQ(answer.result_int(), status) << name;
    EXPECT_EQ(answer.body(), R"({"code":")" + name + R"(","message":"a \"b\""})");
    EXPECT_EQ(answer[http::field::content_type], "application/json");
  }
}

TEST_F(ConnectProtocolTest, FramesOfAStream) {
  const std::string frame = MessageFrame("{}");
  EXPECT_EQ(frame, std::string("\0\0\0\0\2{}", 7));
  EXPECT_EQ(OnlyFrame(frame).value(), "{}");
  EXPECT_EQ(EndFrame(absl::OkStatus()), std::string("\2\0\0\0\2{}", 7));
  EXPECT_EQ(EndFrame(absl::NotFoundError("x")).substr(kEnvelopeBytes),
            R"({"error":{"code":"not_found","message":"x"}})");
  const HttpAnswer error = MakeError({.json = true, .stream = true}, absl::NotFoundError("x"));
  EXPECT_EQ(error.result_int(), 200u);
  EXPECT_EQ(error[http::field::content_type], "application/connect+json");
  for (const std::string& wrong :
       {std::string(), std::string("\0\0\0\0", 4), frame + frame, frame.substr(0, 6),
        EndFrame(absl::OkStatus()), std::string("\0\xff\xff\xff\xff{}", 7)}) {
    EXPECT_EQ(OnlyFrame(wrong).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(OnlyFrame(std::string("\1\0\0\0\2{}", 7)).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace hookd
