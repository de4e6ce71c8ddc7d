#include "cli/stream_publisher.h"

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

using Stream = grpc::ServerReaderWriter<v1::PublishStreamResponse, v1::PublishStreamRequest>;

// Its time moves when a test says so.
class ManualClock final : public Clock {
 public:
  WallMs Wall() const override { return 0; }
  SteadyTime Steady() const override { return SteadyTime(Duration(now_.load())); }
  void Advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{Duration(std::chrono::hours(1)).count()};
};

// What one stream does; `number` counts from 1.
using Behaviour = std::function<grpc::Status(int number, Stream& stream)>;

class FakeService final : public v1::EventService::Service {
 public:
  explicit FakeService(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}
  grpc::Status PublishStream(grpc::ServerContext*, Stream* stream) override {
    return behaviour_(++streams_, *stream);
  }
  int streams() const { return streams_; }

 private:
  const Behaviour behaviour_;
  std::atomic<int> streams_{0};
};

grpc::Status AnswerAll(Stream& stream) {
  v1::PublishStreamRequest request;
  while (stream.Read(&request)) {
    v1::PublishStreamResponse answer;
    answer.set_batch(request.batch());
    for (int i = 0; i < request.events_size(); ++i) answer.add_results()->set_deliveries(1);
    stream.Write(answer);
  }
  return grpc::Status::OK;
}

grpc::Status Unavailable() { return {grpc::StatusCode::UNAVAILABLE, "gone"}; }

class StreamPublisherTest : public ::testing::Test {
 protected:
  void Start(Behaviour behaviour, Duration retry_for = std::chrono::seconds(10)) {
    service_ = std::make_unique<FakeService>(std::move(behaviour));
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    publisher_ =
        std::make_unique<StreamPublisher>(server_->InProcessChannel(grpc::ChannelArguments()), retry_for,
                                          clock_, [](uint64_t, const v1::PublishResult&) {});
  }

  ~StreamPublisherTest() override {
    publisher_.reset();
    server_->Shutdown();
  }

  static Batch OneEvent(const std::string& key) {
    Batch batch;
    batch.request.add_events()->set_idempotency_key(key);
    batch.lines = {1};
    return batch;
  }

  ManualClock clock_;
  std::unique_ptr<FakeService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<StreamPublisher> publisher_;
};

TEST_F(StreamPublisherTest, SendsAgainWhatABreakLeftUnanswered) {
  Start([](int number, Stream& stream) {
    v1::PublishStreamRequest request;
    if (number > 1) return AnswerAll(stream);
    stream.Read(&request);
    return Unavailable();
  });
  ASSERT_TRUE(publisher_->Send(OneEvent("a")).ok());
  ASSERT_TRUE(publisher_->Send(OneEvent("b")).ok());
  const grpc::Status finished = publisher_->Finish();
  EXPECT_TRUE(finished.ok()) << finished.error_message();
  EXPECT_EQ(publisher_->summary().accepted, 2u);
  EXPECT_EQ(publisher_->summary().deliveries, 2u);
}

TEST_F(StreamPublisherTest, CountsWhatThePlanDoesNotHave) {
  Start([](int, Stream& stream) {
    v1::PublishStreamRequest request;
    while (stream.Read(&request)) {
      v1::PublishStreamResponse answer;
      answer.set_batch(request.batch());
      answer.add_results()->set_not_fanned_out("profile small has ack for plan business only");
      stream.Write(answer);
    }
    return grpc::Status::OK;
  });
  ASSERT_TRUE(publisher_->Send(OneEvent("a")).ok());
  ASSERT_TRUE(publisher_->Send(OneEvent("b")).ok());
  ASSERT_TRUE(publisher_->Finish().ok());
  EXPECT_EQ(publisher_->summary().accepted, 2u);
  EXPECT_EQ(publisher_->summary().deliveries, 0u);
  EXPECT_EQ(publisher_->summary().not_fanned_out, 2u);
}

// The last answer is old when the outage begins: the server stalled, or there was nothing to send.
TEST_F(StreamPublisherTest, AnOutageBeginsWhenItIsNoticed) {
  Start([this](int number, Stream& stream) {
    v1::PublishStreamRequest request;
    if (number > 1) return AnswerAll(stream);
    stream.Read(&request);
    clock_.Advance(std::chrono::hours(1));
    return Unavailable();
  });
  ASSERT_TRUE(publisher_->Send(OneEvent("a")).ok());
  const grpc::Status finished = publisher_->Finish();
  EXPECT_TRUE(finished.ok()) << finished.error_message();
  EXPECT_EQ(publisher_->summary().accepted, 1u);
}

TEST_F(StreamPublisherTest, GivesUpWhenNoAnswerComesForLong) {
  Start([this](int, Stream&) {
    clock_.Advance(std::chrono::seconds(6));
    return Unavailable();
  });
  grpc::Status status = publisher_->Send(OneEvent("a"));
  if (status.ok()) status = publisher_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_->streams(), 3) << "noticed at 6 s, tried at 12 s and, after more than 10 s, at 18 s";
}

TEST_F(StreamPublisherTest, AnAnswerEndsTheOutage) {
  Start([this](int number, Stream& stream) {
    clock_.Advance(std::chrono::seconds(6));
    if (number > 4) return AnswerAll(stream);
    v1::PublishStreamRequest request;
    stream.Read(&request);
    if (number % 2 == 1) return Unavailable();
    v1::PublishStreamResponse answer;
    answer.set_batch(request.batch());
    answer.add_results();
    stream.Write(answer);
    return Unavailable();
  });
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(publisher_->Send(OneEvent(key)).ok());
  const grpc::Status finished = publisher_->Finish();
  EXPECT_TRUE(finished.ok()) << finished.error_message();
  EXPECT_EQ(publisher_->summary().accepted, 3u);
}

TEST_F(StreamPublisherTest, PumpNoticesABreakWhileNothingIsSent) {
  Start([](int number, Stream& stream) {
    v1::PublishStreamRequest request;
    if (number > 1) return AnswerAll(stream);
    stream.Read(&request);
    return Unavailable();
  });
  ASSERT_TRUE(publisher_->Send(OneEvent("a")).ok());
  EXPECT_TRUE(publisher_->HasUnanswered());
  while (publisher_->HasUnanswered()) ASSERT_TRUE(publisher_->Pump().ok());
  EXPECT_EQ(publisher_->summary().accepted, 1u);
  EXPECT_EQ(service_->streams(), 2);
  EXPECT_TRUE(publisher_->Pump().ok()) << "there is nothing to do";
  EXPECT_TRUE(publisher_->Finish().ok());
}

TEST_F(StreamPublisherTest, EventsWithoutAKeyAreNotSentAgain) {
  Start([](int, Stream& stream) {
    v1::PublishStreamRequest request;
    stream.Read(&request);
    return Unavailable();
  });
  grpc::Status status = publisher_->Send(OneEvent(""));
  if (status.ok()) status = publisher_->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(service_->streams(), 1);
}

TEST_F(StreamPublisherTest, OnlySomeEndsAreWorthAnotherTry) {
  for (const auto& [code, again] : {std::pair(grpc::StatusCode::CANCELLED, true),
                                    {grpc::StatusCode::INTERNAL, true},
                                    {grpc::StatusCode::OK, true},
                                    {grpc::StatusCode::INVALID_ARGUMENT, false}}) {
    Start([ended = code](int number, Stream& stream) {
      v1::PublishStreamRequest request;
      if (number > 1) return AnswerAll(stream);
      stream.Read(&request);
      return grpc::Status(ended, "ended");
    });
    grpc::Status status = publisher_->Send(OneEvent("a"));
    if (status.ok()) status = publisher_->Finish();
    EXPECT_EQ(status.ok(), again) << code;
    EXPECT_EQ(service_->streams(), again ? 2 : 1) << code;
    publisher_.reset();
    server_->Shutdown();
  }
}

}  // namespace
}  // namespace hookd::cli
