// Publishes batches over PublishStream, pipelined, and sends again what a broken connection left unanswered.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd::cli {

// hookd keeps as many unanswered per stream.
inline constexpr size_t kMaxUnansweredBatches = 64;

struct Batch {
  v1::PublishStreamRequest request;
  std::vector<uint64_t> lines;  // where each event came from
};

struct StreamSummary {
  uint64_t accepted = 0;    // new events
  uint64_t duplicates = 0;  // known by their idempotency key
  uint64_t deliveries = 0;
  uint64_t not_fanned_out = 0;  // of the accepted: the subscriber's plan does not have their type
  uint64_t refused = 0;
};

// Used by one thread, and has one of its own that reads the answers.
class StreamPublisher {
 public:
  // `refused` runs on the reading thread, for each event that was refused.
  using Refused = std::function<void(uint64_t line, const v1::PublishResult& result)>;

  // `retry_for`: how long to try again without any answer, from when a break is noticed. `clock` outlives it.
  StreamPublisher(std::shared_ptr<grpc::Channel> channel, Duration retry_for, const Clock& clock,
                  Refused refused);
  ~StreamPublisher();  // what is unanswered is given up

  // Waits while kMaxUnansweredBatches are unanswered. Sets the batch's number. An error ends the publisher:
  // unanswered events are unknown then.
  grpc::Status Send(Batch batch);

  // Sends again what a break left unanswered; does nothing when there was none. Only the caller's thread
  // notices breaks: call it now and then while there is nothing to send.
  grpc::Status Pump();

  // Waits for the last answer.
  grpc::Status Finish();

  bool HasUnanswered() const;
  StreamSummary summary() const;

 private:
  struct Pending {
    Batch batch;
    bool sent = false;   // ever: hookd may have it
    bool keyed = false;  // every event has an idempotency key
  };
  using Stream = grpc::ClientReaderWriter<v1::PublishStreamRequest, v1::PublishStreamResponse>;

  void Open();
  // Ends the stream and gives its status.
  grpc::Status Close();
  void ReadAnswers(Stream& stream);
  void Take(const v1::PublishStreamResponse& answer);
  // Writes what was not written on this stream; false when it broke.
  bool Write();
  // Writes, again after every break, and waits until `enough`, which is called with the lock.
  grpc::Status WriteUntil(const std::function<bool()>& enough);
  // After a break: an error when it may not, or no longer, try again; else a new stream is open.
  grpc::Status Reopen();

  const std::unique_ptr<v1::EventService::Stub> stub_;
  const Duration retry_for_;
  const Clock& clock_;
  const Refused refused_;
  uint64_t next_batch_ = 1;
  Duration pause_{};

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
  std::thread reader_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_ from here on.
  std::deque<std::shared_ptr<Pending>> unanswered_;
  size_t written_ = 0;  // of them, on this stream
  bool broken_ = false;
  std::optional<SteadyTime> trying_since_;  // there was a break, and no answer since
  StreamSummary summary_;
};

}  // namespace hookd::cli
