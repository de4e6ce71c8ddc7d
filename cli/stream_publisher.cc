#include "cli/stream_publisher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/session.h"

namespace hookd::cli {
namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLastPause{2000};

}  // namespace

StreamPublisher::StreamPublisher(std::shared_ptr<grpc::Channel> channel, Duration retry_for,
                                 const Clock& clock, Refused refused)
    : stub_(v1::EventService::NewStub(std::move(channel))),
      retry_for_(retry_for),
      clock_(clock),
      refused_(std::move(refused)),
      pause_(kFirstPause) {
  Open();
}

StreamPublisher::~StreamPublisher() {
  if (context_ == nullptr) return;
  context_->TryCancel();
  Close();
}

grpc::Status StreamPublisher::Send(Batch batch) {
  auto pending = std::make_shared<Pending>();
  pending->batch = std::move(batch);
  pending->batch.request.set_batch(next_batch_++);
  const auto& events = pending->batch.request.events();
  pending->keyed = std::all_of(events.begin(), events.end(),
                               [](const v1::NewEvent& event) { return !event.idempotency_key().empty(); });
  grpc::Status status = WriteUntil([this] { return unanswered_.size() < kMaxUnansweredBatches; });
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    unanswered_.push_back(std::move(pending));
  }
  return WriteUntil([this] { return written_ == unanswered_.size(); });
}

grpc::Status StreamPublisher::Pump() {
  {
    const std::lock_guard lock(mutex_);
    if (!broken_ || unanswered_.empty()) return grpc::Status::OK;
  }
  return WriteUntil([this] { return !broken_ && written_ == unanswered_.size(); });
}

grpc::Status StreamPublisher::Finish() {
  grpc::Status status = WriteUntil([this] { return unanswered_.empty(); });
  if (!status.ok()) return status;
  stream_->WritesDone();
  Close();  // everything is answered: how the stream ends no longer matters
  return grpc::Status::OK;
}

grpc::Status StreamPublisher::WriteUntil(const std::function<bool()>& enough) {
  for (;;) {
    const bool wrote = Write();
    {
      std::unique_lock lock(mutex_);
      if (wrote) changed_.wait(lock, [this, &enough] { return broken_ || enough(); });
      if (enough()) return grpc::Status::OK;
    }
    if (grpc::Status reopened = Reopen(); !reopened.ok()) return reopened;
  }
}

bool StreamPublisher::HasUnanswered() const {
  const std::lock_guard lock(mutex_);
  return !unanswered_.empty();
}

StreamSummary StreamPublisher::summary() const {
  const std::lock_guard lock(mutex_);
  return summary_;
}

void StreamPublisher::Open() {
  context_ = std::make_unique<grpc::ClientContext>();
  stream_ = stub_->PublishStream(context_.get());
  {
    const std::lock_guard lock(mutex_);
    broken_ = false;
    written_ = 0;
  }
  reader_ = std::thread([this, stream = stream_.get()] { ReadAnswers(*stream); });
}

grpc::Status StreamPublisher::Close() {
  reader_.join();
  const grpc::Status status = stream_->Finish();
  stream_.reset();
  context_.reset();
  return status;
}

void StreamPublisher::ReadAnswers(Stream& stream) {
  v1::PublishStreamResponse answer;
  while (stream.Read(&answer)) Take(answer);
  const std::lock_guard lock(mutex_);
  broken_ = true;
  changed_.notify_all();
}

void StreamPublisher::Take(const v1::PublishStreamResponse& answer) {
  std::shared_ptr<Pending> answered;
  {
    const std::lock_guard lock(mutex_);
    // Answers come in order: another number would be an answer to nothing.
    if (unanswered_.empty() || unanswered_.front()->batch.request.batch() != answer.batch()) return;
    answered = std::move(unanswered_.front());
    unanswered_.pop_front();
    if (written_ > 0) --written_;
    trying_since_.reset();
    for (const v1::PublishResult& result : answer.results()) {
      if (result.code() != 0) {
        ++summary_.refused;
        continue;
      }
      ++(result.duplicate() ? summary_.duplicates : summary_.accepted);
      summary_.deliveries += result.deliveries();
      if (!result.not_fanned_out().empty()) ++summary_.not_fanned_out;
    }
    changed_.notify_all();
  }
  for (int i = 0; i < answer.results_size() && i < static_cast<int>(answered->batch.lines.size()); ++i) {
    if (answer.results(i).code() != 0) refused_(answered->batch.lines[i], answer.results(i));
  }
}

bool StreamPublisher::Write() {
  for (;;) {
    std::shared_ptr<Pending> next;
    {
      const std::lock_guard lock(mutex_);
      if (broken_) return false;
      if (written_ == unanswered_.size()) return true;
      next = unanswered_[written_++];  // before the write: its answer may come before the write returns
      next->sent = true;
    }
    if (!stream_->Write(next->batch.request)) return false;
  }
}

grpc::Status StreamPublisher::Reopen() {
  const grpc::Status status = Close();
  const SteadyTime now = clock_.Steady();
  {
    const std::lock_guard lock(mutex_);
    const bool unknown = std::any_of(unanswered_.begin(), unanswered_.end(),
                                     [](const auto& pending) { return pending->sent && !pending->keyed; });
    if (unknown && MayTryAgain(status)) {
      return grpc::Status(
          grpc::StatusCode::UNAVAILABLE,
          "the connection broke: events without an idempotency_key are unanswered and are not sent "
          "again (" +
              status.error_message() + ")");
    }
    if (!MayTryAgain(status)) return status;
    if (!trying_since_) {
      trying_since_ = now;
      pause_ = kFirstPause;
    }
    if (now - *trying_since_ >= retry_for_) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, status.error_message());
    }
  }
  std::this_thread::sleep_for(pause_);
  pause_ = std::min<Duration>(pause_ * 2, kLastPause);
  Open();
  return grpc::Status::OK;
}

}  // namespace hookd::cli
