#include "dispatcher/api/provider_rest.h"

#include <absl/strings/match.h>
#include <boost/asio/post.hpp>

#include "dispatcher/api/message_gets.h"
#include "dispatcher/api/webhook_config.h"

namespace hookd {
namespace {

// In the words that the target's caller knows.
RestAnswer Unavailable(std::string_view target, std::string_view why) {
  return IsMessageGet(target) ? MessageGetFailed(503, why) : WebhookConfigFailed(500, why, {});
}

}  // namespace

const std::string* FindHeader(const RestRequest& request, std::string_view name) {
  for (const auto& [each, value] : request.headers) {
    if (absl::EqualsIgnoreCase(each, absl::string_view(name.data(), name.size()))) return &value;
  }
  return nullptr;
}

std::optional<std::string_view> QueryValue(std::string_view target, std::string_view name) {
  size_t at = target.find('?');
  while (at < target.size()) {
    const std::string_view pair = target.substr(at + 1, target.find('&', at + 1) - at - 1);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    at += pair.size() + 1;
  }
  return std::nullopt;
}

ProviderRest::ProviderRest() : places_(std::make_shared<size_t>(0)) {}
ProviderRest::~ProviderRest() { Close(); }

bool ProviderRest::Takes(std::string_view target) { return IsWebhookConfig(target) || IsMessageGet(target); }

void ProviderRest::Open(const AuthOptions& auth, Engine& engine, const Toolbox* tools, Telemetry& telemetry,
                        const Clock& clock) {
  absl::MutexLock lock(&mutex_);
  keys_.emplace(auth, engine, telemetry, clock);
  engine_ = &engine;
  tools_ = tools;
}

void ProviderRest::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    engine_ = nullptr;
  }
  pool_.join();
}

std::shared_ptr<void> ProviderRest::TakePlace() {
  if (*places_ == kMaxRestRequests) return nullptr;
  ++*places_;
  return {places_.get(), [places = places_](void*) { --*places; }};
}

void ProviderRest::Start(RestRequest request, boost::asio::any_io_executor executor,
                         std::function<void(RestAnswer)> done) {
  // `done` goes back to its executor whatever happens: what it holds belongs to that thread.
  boost::asio::post(pool_, [this, request = std::move(request), executor = std::move(executor),
                            done = std::move(done)]() mutable {
    RestAnswer answer = Answer(request);
    boost::asio::post(executor, [done = std::move(done), answer = std::move(answer)] { done(answer); });
  });
}

RestAnswer ProviderRest::Busy(std::string_view target) {
  return Unavailable(target, "too many requests at a time: try again");
}

RestAnswer ProviderRest::Answer(const RestRequest& request) {
  absl::MutexLock lock(&mutex_);  // Close waits for it
  if (engine_ == nullptr) return Unavailable(request.target, "hookd is starting or shutting down");
  if (IsMessageGet(request.target)) return GetMessages(*engine_, *keys_, request);
  return ConfigureWebhook(*engine_, tools_, *keys_, request);
}

}  // namespace hookd
