// A transport whose receiver is a function of the test's.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "dispatcher/transport/http_transport.h"

namespace hookd::testing {

struct SentRequest {
  std::string url;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string Header(const std::string& name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

// What every FakeTransport of a test shares. Thread-safe.
class FakeReceiver {
 public:
  // The status to answer with; nullopt = hold the request until ReleaseAll.
  using Handler = std::function<std::optional<int>(const SentRequest&)>;

  explicit FakeReceiver(Handler handler = [](const SentRequest&) { return 200; })
      : handler_(std::move(handler)) {}

  void SetHandler(Handler handler) {
    absl::MutexLock lock(&mutex_);
    handler_ = std::move(handler);
  }

  std::vector<SentRequest> requests() const {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

  // Blocks until `condition` holds for what was sent so far; false after 20 s.
  bool WaitFor(const std::function<bool(const std::vector<SentRequest>&)>& condition) const {
    absl::MutexLock lock(&mutex_);
    const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return condition(requests_); };
    return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Seconds(20));
  }

  bool WaitForCount(size_t count) const {
    return WaitFor([count](const auto& requests) { return requests.size() >= count; });
  }

  // Answers everything that is held.
  void ReleaseAll(int status) {
    std::vector<std::function<void(int)>> held;
    {
      absl::MutexLock lock(&mutex_);
      held.swap(held_);
    }
    for (const auto& answer : held) answer(status);
  }

  // The status, or nullopt after `answer` was kept.
  std::optional<int> Receive(SentRequest request, std::function<void(int)> answer) {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
    const std::optional<int> status = handler_(request);
    if (!status) held_.push_back(std::move(answer));
    return status;
  }

 private:
  mutable absl::Mutex mutex_;
  Handler handler_ ABSL_GUARDED_BY(mutex_);
  std::vector<SentRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void(int)>> held_ ABSL_GUARDED_BY(mutex_);
};

class FakeTransport final : public HttpTransport {
 public:
  FakeTransport(boost::asio::io_context& io, FakeReceiver& receiver) : io_(io), receiver_(receiver) {}

  void Send(HttpRequest request, Callback done) override {
    auto shared = std::make_shared<Callback>(std::move(done));
    auto answer = [this, shared](int status) {
      boost::asio::post(io_, [shared, status] {
        if (*shared == nullptr) return;  // canceled
        HttpResult result;
        result.status = status;
        result.us.total = 1000;
        if (status == 0) result.error = ErrorKind::kConnect;
        std::exchange(*shared, nullptr)(std::move(result));
      });
    };
    open_.push_back(shared);
    if (open_.size() > 10'000) open_.erase(open_.begin(), open_.begin() + 5'000);
    const std::optional<int> status =
        receiver_.Receive({request.url, std::string(request.body), std::move(request.headers)}, answer);
    if (status) answer(*status);
  }

  void CancelAll() override {
    for (const auto& callback : std::exchange(open_, {})) {
      if (*callback == nullptr) continue;
      HttpResult result;
      result.error = ErrorKind::kLocal;
      result.error_detail = "shutting down";
      std::exchange(*callback, nullptr)(std::move(result));
    }
  }

 private:
  boost::asio::io_context& io_;
  FakeReceiver& receiver_;
  std::vector<std::shared_ptr<Callback>> open_;
};

}  // namespace hookd::testing
