#include "dispatcher/tools/one_shot.h"

#include <boost/asio/post.hpp>

#include "base/concat.h"

namespace hookd {

OneShotRunner::OneShotRunner(const TransportFactory& transports)
    : work_(boost::asio::make_work_guard(io_)), transport_(transports(io_)) {
  thread_ = std::thread([this] { io_.run(); });
}

OneShotRunner::~OneShotRunner() { Stop(); }

absl::Status OneShotRunner::Send(HttpRequest request, Callback done) {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::UnavailableError("hookd is shutting down");
    if (taken_ >= kMaxOneShots + kMaxOneShotsQueued) {
      return absl::ResourceExhaustedError(
          Concat(taken_, " tests, checks and probes are under way: try again in a moment"));
    }
    ++taken_;
  }
  request.fresh = true;
  boost::asio::post(io_, [this, one = std::make_shared<Waiting>(Waiting{
                                    std::move(request), std::move(done)})] { Take(std::move(*one)); });
  return absl::OkStatus();
}

void OneShotRunner::Take(Waiting one) {
  if (in_flight_ < kMaxOneShots && !ending_) {
    Start(std::move(one));
  } else {
    queue_.push_back(std::move(one));
  }
}

void OneShotRunner::Start(Waiting one) {
  ++in_flight_;
  transport_->Send(std::move(one.request), [this, done = std::move(one.done)](HttpResult result) {
    --in_flight_;
    End();
    done(std::move(result));
  });
}

void OneShotRunner::End() {
  {
    absl::MutexLock lock(&mutex_);
    --taken_;
  }
  if (queue_.empty() || ending_) return;
  Waiting next = std::move(queue_.front());
  queue_.pop_front();
  Start(std::move(next));
}

void OneShotRunner::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  // Behind everything that was taken.
  boost::asio::post(io_, [this] {
    ending_ = true;
    transport_->CancelAll();
    for (Waiting& one : std::exchange(queue_, {})) {
      HttpResult result;
      result.error = ErrorKind::kLocal;
      result.error_detail = "shutting down";
      one.done(std::move(result));
    }
    io_.stop();
  });
  thread_.join();
}

}  // namespace hookd
