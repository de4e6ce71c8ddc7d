#include "dispatcher/api/publish_stream.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "dispatcher/api/grpc_status.h"

namespace hookd {
namespace {

// A larger message gives its memory back before the next is read; idle streams must stay small.
constexpr size_t kKeptRequestBytes = 64 * 1024;
// What an accepted event's result takes, encoded.
constexpr size_t kResultBytes = 40;

absl::Status ShuttingDown() {
  return absl::UnavailableError("shutting down: what was answered is kept, send the rest again");
}

}  // namespace

PublishStream::PublishStream(std::shared_ptr<PublishContext> publish, grpc::CallbackServerContext& context,
                             StillAllowed allowed, PublishLimits limits)
    : publish_(std::move(publish)),
      context_(context),
      allowed_(std::move(allowed)),
      limits_(std::move(limits)) {}

grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream::Start(
    std::shared_ptr<PublishContext> publish, grpc::CallbackServerContext& context, StillAllowed allowed,
    PublishLimits limits) {
  auto stream = std::make_shared<PublishStream>(publish, context, std::move(allowed), std::move(limits));
  if (!publish->calls.Add(stream)) {
    struct Refused final : grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse> {
      void OnDone() override { delete this; }
    };
    auto* refused = new Refused;
    refused->Finish(ToGrpc(ShuttingDown()));
    return refused;
  }
  absl::MutexLock lock(&stream->mutex_);
  stream->AdvanceLocked();
  return stream.get();
}

void PublishStream::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!ok) EndLocked(absl::OkStatus());  // the client has sent everything, or is gone
    if (ended_ || broken_) {
      AdvanceLocked();
      return;
    }
    admitting_ = true;
  }
  Admit();
}

void PublishStream::Admit() {
  if (absl::Status over = allowed_ == nullptr ? absl::OkStatus() : allowed_(); !over.ok()) return End(over);
  const size_t bytes = request_.ByteSizeLong();
  if (absl::Status bad = CheckBatchSize(request_.events(), bytes); !bad.ok()) {
    publish_->CountRefused(bad);
    End(absl::InvalidArgumentError(absl::StrCat("batch ", request_.batch(), ": ", bad.message())));
    return;
  }
  Unanswered checked;
  checked.response.set_batch(request_.batch());
  CheckedBatch batch;
  if (const absl::Status over = limits_.Charge(PayloadBytes(request_.events())); over.ok()) {
    batch = CheckBatch(request_.events(), *checked.response.mutable_results(), *publish_, limits_);
  } else {
    RefuseAll(over, static_cast<size_t>(request_.events_size()), *checked.response.mutable_results(),
              *publish_);
  }
  checked.positions = std::move(batch.positions);
  checked.bytes = checked.response.ByteSizeLong() + checked.positions.size() * kResultBytes;
  Unanswered* message = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    unanswered_bytes_ += checked.bytes;
    unanswered_.push_back(std::move(checked));
    message = &unanswered_.back();
    if (batch.events.empty()) {
      message->ready = true;
      admitting_ = false;
      AdvanceLocked();
      return;
    }
  }
  Offer(message, std::move(batch.events));
}

void PublishStream::Offer(Unanswered* message, std::vector<NewEvent> events) {
  const std::shared_ptr<PublishStream> self = shared_from_this();
  const size_t count = events.size();
  const absl::Status taken =
      publish_->engine.Publish(std::move(events), [self, message](std::vector<PublishOutcome> outcomes) {
        self->publish_->answers.Post(
            [self, message, outcomes = std::move(outcomes)] { self->Answer(message, outcomes); });
      });
  if (taken.ok() && request_.ByteSizeLong() > kKeptRequestBytes) {
    v1::PublishStreamRequest().Swap(&request_);
  }
  IntakeDemand demand;
  if (absl::IsResourceExhausted(taken))
    demand = DemandOf(RemakeEvents(request_.events(), message->positions));
  {
    absl::MutexLock lock(&mutex_);
    if (taken.ok()) {
      admitting_ = false;
    } else {
      waiting_ = true;
      if (!absl::IsResourceExhausted(taken)) {
        publish_->CountRefused(taken, count);
        EndLocked(taken);
      }
      if (ended_ || broken_) StopWaitingLocked();
    }
    AdvanceLocked();
    if (!waiting_) return;
  }
  // Tried again on the answering thread: the engine may call back at once, and on a thread that must not
  // block. A call that ended meanwhile must not live on, with its request, until there is room.
  publish_->engine.WhenRoom(std::move(demand), [weak = weak_from_this(), message] {
    const std::shared_ptr<PublishStream> stream = weak.lock();
    if (stream == nullptr) return;
    stream->publish_->answers.PostLater([weak, message] {
      if (const std::shared_ptr<PublishStream> waiting = weak.lock()) waiting->Retry(message);
    });
  });
}

void PublishStream::Retry(Unanswered* message) {
  {
    absl::MutexLock lock(&mutex_);
    if (!waiting_) return;  // given up in the meantime; `message` is gone
    waiting_ = false;
  }
  std::vector<NewEvent> events = RemakeEvents(request_.events(), message->positions);
  Recheck(events, publish_->engine);
  Offer(message, std::move(events));
}

void PublishStream::Answer(Unanswered* message, const std::vector<PublishOutcome>& outcomes) {
  // Nobody else touches a message that is not ready.
  FillResults(outcomes, message->positions, *message->response.mutable_results(), *publish_);
  const size_t bytes = message->response.ByteSizeLong();
  absl::MutexLock lock(&mutex_);
  unanswered_bytes_ += bytes - message->bytes;
  message->bytes = bytes;
  message->ready = true;
  AdvanceLocked();
}

void PublishStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) {
    unanswered_bytes_ -= unanswered_.front().bytes;
    unanswered_.pop_front();
  } else {
    broken_ = true;
    StopWaitingLocked();
  }
  AdvanceLocked();
}

void PublishStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  broken_ = true;
  StopWaitingLocked();
  AdvanceLocked();
}

void PublishStream::StopIntake() {
  absl::MutexLock lock(&mutex_);
  EndLocked(ShuttingDown());
  StopWaitingLocked();
  AdvanceLocked();
}

void PublishStream::Abort() {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  context_.TryCancel();
  broken_ = true;
  EndLocked(ShuttingDown());
  StopWaitingLocked();
  AdvanceLocked();
}

void PublishStream::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  EndLocked(status);
  admitting_ = false;
  AdvanceLocked();
}

void PublishStream::EndLocked(const absl::Status& status) {
  if (!ended_) final_ = status;
  ended_ = true;
}

void PublishStream::StopWaitingLocked() {
  if (!waiting_) return;
  waiting_ = false;
  admitting_ = false;
  unanswered_bytes_ -= unanswered_.back().bytes;
  unanswered_.pop_back();
}

void PublishStream::AdvanceLocked() {
  if (finished_) return;
  if (!writing_ && !broken_ && !unanswered_.empty() && unanswered_.front().ready) {
    writing_ = true;
    StartWrite(&unanswered_.front().response);
  }
  const bool room = unanswered_.size() < kMaxUnanswered && unanswered_bytes_ <= kMaxUnansweredBytes;
  if (!reading_ && !admitting_ && !ended_ && !broken_ && room) {
    reading_ = true;
    StartRead(&request_);
  }
  // A message on its way into the engine still works with this call; it ends right after.
  if (writing_ || admitting_) return;
  if (broken_ || (ended_ && unanswered_.empty())) {
    finished_ = true;
    Finish(ToGrpc(broken_ && final_.ok() ? absl::CancelledError("the stream broke") : final_));
  }
}

void PublishStream::OnDone() { publish_->calls.Remove(this); }

}  // namespace hookd
