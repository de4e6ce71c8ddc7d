#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/api/publish_batch.h"
#include "dispatcher/api/publish_stream.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd {
namespace {

// A JSON string of `size` letters. (GCC 12 warns falsely of bounds in '"' + std::string(...) + '"'.)
std::string JsonString(size_t size) {
  std::string text(size + 2, 'x');
  text.front() = text.back() = '"';
  return text;
}

using ::testing::HasSubstr;

class PublishTest : public testing::ApiTest {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::PublishStreamRequest, v1::PublishStreamResponse>;

  static void Fill(v1::NewEvent& event, const std::string& payload) {
    event.set_subscriber_id("acme");
    event.set_type("t");
    event.set_payload(payload);
  }

  static v1::PublishStreamRequest Message(uint64_t batch, const std::vector<std::string>& payloads) {
    v1::PublishStreamRequest request;
    request.set_batch(batch);
    for (const std::string& payload : payloads) Fill(*request.add_events(), payload);
    return request;
  }

  // With `ms` as its deadline, as a commit that is held back never answers.
  grpc::Status PublishOne(const std::string& payload, int ms, v1::PublishEventResponse* response = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
    v1::PublishEventRequest request;
    Fill(*request.mutable_event(), payload);
    v1::PublishEventResponse ignored;
    return stub_->PublishEvent(&context, request, response == nullptr ? &ignored : response);
  }

  // Until a publish is refused: what is held back fills the intake.
  void FillIntake() {
    const std::string payload = JsonString(kIntakeBytes / 4);
    for (int i = 0; i < 100; ++i) {
      if (PublishOne(payload, 100).error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) return;
    }
    FAIL() << "the intake never filled";
  }

  const std::unique_ptr<v1::EventService::Stub> stub_ = v1::EventService::NewStub(channel_);
};

TEST_F(PublishTest, AnswersAfterTheCommitAndNotBefore) {
  store_.SetGate(false);
  EXPECT_EQ(PublishOne("1", 200).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  store_.SetGate(true);
  v1::PublishEventResponse response;
  EXPECT_TRUE(PublishOne("2", 20'000, &response).ok());
  EXPECT_TRUE(EventId::Parse(response.event_id()).ok());
}

TEST_F(PublishTest, BatchRefusesBadEventsOneByOne) {
  grpc::ClientContext context;
  v1::PublishEventsRequest request;
  Fill(*request.add_events(), "1");
  Fill(*request.add_events(), "{not json");
  Fill(*request.add_events(), "3");
  request.mutable_events(2)->set_subscriber_id("nobody");
  Fill(*request.add_events(), "4");
  v1::PublishEventsResponse response;
  ASSERT_TRUE(stub_->PublishEvents(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(response.results(1).message(), HasSubstr("payload"));
  EXPECT_EQ(response.results(2).code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.results(3).code(), 0);
  EXPECT_LT(response.results(0).event_id(), response.results(3).event_id());
}

TEST_F(PublishTest, BatchOfAllBadEventsIsAnswered) {
  grpc::ClientContext context;
  v1::PublishEventsRequest request;
  Fill(*request.add_events(), "");
  v1::PublishEventsResponse response;
  ASSERT_TRUE(stub_->PublishEvents(&context, request, &response).ok());
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PublishTest, BatchIsRefusedWhenEmptyOrTooLong) {
  for (int count : {0, kMaxBatchEvents + 1}) {
    grpc::ClientContext context;
    v1::PublishEventsRequest request;
    for (int i = 0; i < count; ++i) Fill(*request.add_events(), "1");
    v1::PublishEventsResponse response;
    const grpc::Status status = stub_->PublishEvents(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << count;
    EXPECT_THAT(status.error_message(), HasSubstr("events:"));
  }
}

TEST_F(PublishTest, BatchIsRefusedWhenTooLarge) {
  grpc::ClientContext context;
  v1::PublishEventsRequest request;
  for (int i = 0; i < 5; ++i) Fill(*request.add_events(), JsonString(kMaxBatchBytes / 5));
  v1::PublishEventsResponse response;
  const grpc::Status status = stub_->PublishEvents(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("4194304"));
}

TEST_F(PublishTest, UnaryIsRefusedWhenTheIntakeIsFull) {
  store_.SetGate(false);
  FillIntake();
  store_.SetGate(true);
}

TEST_F(PublishTest, StreamAnswersInOrderWithinAndAcrossMessages) {
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  ASSERT_TRUE(stream->Write(Message(7, {"1", "2"})));
  ASSERT_TRUE(stream->Write(Message(8, {"bad"})));
  ASSERT_TRUE(stream->Write(Message(9, {"3", "bad", "4"})));
  ASSERT_TRUE(stream->Write(Message(10, {})));
  ASSERT_TRUE(stream->WritesDone());
  std::string last;
  v1::PublishStreamResponse answer;
  std::vector<uint64_t> batches;
  while (stream->Read(&answer)) {
    batches.push_back(answer.batch());
    for (const v1::PublishResult& result : answer.results()) {
      if (result.code() != 0) continue;
      EXPECT_LT(last, result.event_id());
      last = result.event_id();
    }
    if (answer.batch() == 9) {
      ASSERT_EQ(answer.results_size(), 3);
      EXPECT_EQ(answer.results(1).code(), grpc::StatusCode::INVALID_ARGUMENT);
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(batches, ::testing::ElementsAre(7, 8, 9, 10));
}

TEST_F(PublishTest, StreamEndsAtAMessageOverTheLimitAndNamesIt) {
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  ASSERT_TRUE(stream->Write(Message(1, {"1"})));
  ASSERT_TRUE(stream->Write(Message(2, std::vector<std::string>(kMaxBatchEvents + 1, "2"))));
  v1::PublishStreamResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.batch(), 1u);
  EXPECT_FALSE(stream->Read(&answer));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("batch 2"));
}

TEST_F(PublishTest, StreamWaitsForRoomAndNeverRefuses) {
  store_.SetGate(false);
  FillIntake();
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  const std::string payload = JsonString(kIntakeBytes / 2);
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(stream->Write(Message(i, {payload, "[]"})));
  store_.SetGate(true);
  v1::PublishStreamResponse answer;
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.batch(), i);
    ASSERT_EQ(answer.results_size(), 2);
    EXPECT_EQ(answer.results(0).code(), 0) << answer.results(0).message();
    EXPECT_EQ(answer.results(1).code(), 0);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(PublishTest, StreamAnswersMoreMessagesThanItHoldsUnanswered) {
  constexpr uint64_t kMessages = kMaxUnanswered * 4;
  store_.SetGate(false);
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  std::thread writer([&stream] {
    for (uint64_t i = 0; i < kMessages; ++i) stream->Write(Message(i, {"1"}));
    stream->WritesDone();
  });
  store_.SetGate(true);
  v1::PublishStreamResponse answer;
  uint64_t answers = 0;
  for (; stream->Read(&answer); ++answers) EXPECT_EQ(answer.batch(), answers);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answers, kMessages);
}

TEST_F(PublishTest, TimesAreChecked) {
  const auto refusal = [this](const std::function<void(v1::NewEvent&)>& change) {
    grpc::ClientContext context;
    v1::PublishEventRequest request;
    Fill(*request.mutable_event(), "1");
    change(*request.mutable_event());
    v1::PublishEventResponse response;
    const grpc::Status status = stub_->PublishEvent(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  const int64_t now = RealClock().Wall() / 1000;
  EXPECT_THAT(refusal([](v1::NewEvent& e) { e.mutable_expire_time(); }), HasSubstr("expire_time: "));
  EXPECT_THAT(refusal([now](v1::NewEvent& e) { e.mutable_expire_time()->set_seconds(now - 60); }),
              HasSubstr("expire_time: "));
  EXPECT_THAT(refusal([now](v1::NewEvent& e) {
                e.mutable_not_before_time()->set_seconds(now + 120);
                e.mutable_expire_time()->set_seconds(now + 60);
              }),
              HasSubstr("expire_time: "));
  EXPECT_THAT(
      refusal([now](v1::NewEvent& e) { e.mutable_not_before_time()->set_seconds(now + 31 * 24 * 3600); }),
      HasSubstr("not_before_time: "));
  EXPECT_THAT(refusal([](v1::NewEvent& e) { e.mutable_not_before_time()->set_nanos(-1); }),
              HasSubstr("not_before_time: "));
}

TEST_F(PublishTest, EveryRefusalIsCountedByItsCode) {
  const auto publish = [this](const std::string& subscriber, const std::string& payload) {
    grpc::ClientContext context;
    v1::PublishEventRequest request;
    Fill(*request.mutable_event(), payload);
    request.mutable_event()->set_subscriber_id(subscriber);
    request.mutable_event()->set_idempotency_key("key");
    v1::PublishEventResponse response;
    return stub_->PublishEvent(&context, request, &response);
  };
  EXPECT_TRUE(publish("acme", "1").ok());
  publish("nobody", "1");
  EXPECT_EQ(telemetry_.rejected("not_found"), 1);
  publish("acme", "2");
  EXPECT_EQ(telemetry_.rejected("already_exists"), 1);
  publish("acme", "bad");
  EXPECT_EQ(telemetry_.rejected("invalid_argument"), 1);
  {
    grpc::ClientContext context;
    v1::PublishEventsRequest request;
    for (int i = 0; i < 3; ++i) Fill(*request.add_events(), "bad");
    Fill(*request.add_events(), "1");
    request.mutable_events(3)->set_subscriber_id("nobody");
    v1::PublishEventsResponse response;
    EXPECT_TRUE(stub_->PublishEvents(&context, request, &response).ok());
    EXPECT_EQ(telemetry_.rejected("invalid_argument"), 4);
    EXPECT_EQ(telemetry_.rejected("not_found"), 2);
  }
  {
    grpc::ClientContext context;
    v1::PublishEventsRequest request;
    for (int i = 0; i <= kMaxBatchEvents; ++i) Fill(*request.add_events(), "1");
    v1::PublishEventsResponse response;
    EXPECT_FALSE(stub_->PublishEvents(&context, request, &response).ok());
    EXPECT_EQ(telemetry_.rejected("invalid_argument"), 5) << "a message over its limit counts as one";
  }
  store_.SetGate(false);
  FillIntake();
  EXPECT_EQ(telemetry_.rejected("resource_exhausted"), 1);
  server_->StopIntake();
  EXPECT_EQ(PublishOne("1", 20'000).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(telemetry_.rejected("unavailable"), 1);
}

// The first answer is held back, and with it all others.
TEST_F(PublishTest, StreamIsNotReadWhileItsAnswersAreLarge) {
  store_.SetGate(false);
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  const v1::PublishStreamRequest refused = Message(2, std::vector<std::string>(kMaxBatchEvents, "bad"));
  std::thread writer([&] {
    stream->Write(Message(1, {"1"}));
    for (size_t i = 1; i < kMaxUnanswered; ++i) stream->Write(refused);
    stream->WritesDone();
  });
  ASSERT_TRUE(telemetry_.WaitForRejected(kMaxBatchEvents));
  // Whatever would read more has time to: each of these is a whole call.
  for (int i = 0; i < 100; ++i) PublishOne("bad", 20'000);
  const int read = telemetry_.rejected("invalid_argument") / kMaxBatchEvents;
  store_.SetGate(true);
  v1::PublishStreamResponse answer;
  size_t largest = 0;
  size_t answers = 0;
  for (; stream->Read(&answer); ++answers) largest = std::max(largest, answer.ByteSizeLong());
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answers, kMaxUnanswered) << "it goes on once they are gone";
  EXPECT_GT(largest * (kMaxUnanswered - 1), 2 * kMaxUnansweredBytes) << "or this test shows nothing";
  EXPECT_LE(static_cast<size_t>(read - 1) * largest, kMaxUnansweredBytes);
}

TEST_F(PublishTest, StopIntakeEndsStreamsAfterTheirLastAnswer) {
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  v1::PublishStreamResponse answer;
  ASSERT_TRUE(stream->Write(Message(1, {"1"})));
  ASSERT_TRUE(stream->Read(&answer));
  server_->StopIntake();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(PublishOne("2", 20'000).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(PublishTest, StopIntakeEndsAStreamThatWaitsForRoom) {
  store_.SetGate(false);
  FillIntake();
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  ASSERT_TRUE(stream->Write(Message(1, {JsonString(kIntakeBytes), "bad"})));
  ASSERT_TRUE(telemetry_.WaitForRejected(1));
  server_->StopIntake();
  v1::PublishStreamResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(PublishTest, ShutdownEndsCallsWhoseCommitHangs) {
  store_.SetGate(false);
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
  ASSERT_TRUE(stream->Write(Message(1, {"1", "bad"})));
  grpc::Status unary;
  std::thread caller([this, &unary] {
    grpc::ClientContext other;
    v1::PublishEventsRequest request;
    Fill(*request.add_events(), "2");
    Fill(*request.add_events(), "bad");
    v1::PublishEventsResponse response;
    unary = stub_->PublishEvents(&other, request, &response);
  });
  ASSERT_TRUE(telemetry_.WaitForRejected(2));
  server_->Shutdown(std::chrono::milliseconds(100));
  caller.join();
  EXPECT_EQ(unary.error_code(), grpc::StatusCode::UNAVAILABLE) << unary.error_message();
  v1::PublishStreamResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(PublishTest, CanceledStreamLeavesNothingBehind) {
  store_.SetGate(false);
  {
    grpc::ClientContext context;
    const std::unique_ptr<Stream> stream = stub_->PublishStream(&context);
    ASSERT_TRUE(stream->Write(Message(1, {"1"})));
    ASSERT_TRUE(stream->Write(Message(2, {"2"})));
    context.TryCancel();
    v1::PublishStreamResponse answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  store_.SetGate(true);
  EXPECT_TRUE(PublishOne("3", 20'000).ok());
  server_->Shutdown(std::chrono::seconds(20));  // would hang if the stream were still there
}

}  // namespace
}  // namespace hookd
