#include "dispatcher/tools/sample_run.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/engine/kept_headers.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

// As of a delivery, so that receivers that look at its form take it.
EventId RandomEventId(WallMs now, Partition partition) {
  const std::string random = GenerateKey();
  uint64_t bits = 0;
  std::memcpy(&bits, random.data(), sizeof(bits));
  return EventId::Make(now, 0, partition, bits);
}

bool IsBatched(const DeliveryPolicy& policy, std::string_view type) {
  if (policy.batch.event_types.empty()) return false;
  Endpoint filter;
  filter.event_types = policy.batch.event_types;
  return Matches(filter, type, "");
}

}  // namespace

std::string BodyOf(const DeliveryPolicy& policy, const Event& event) {
  return IsBatched(policy, event.type) ? Concat("[", event.payload, "]") : event.payload;
}

ToolExchange MakeToolExchange(const Endpoint& settings, const std::string& url,
                              const std::vector<std::pair<std::string, std::string>>& headers, WallMs started,
                              HttpResult result) {
  ToolExchange exchange;
  exchange.diagnosis = Diagnose(settings.policy, url, result);
  exchange.certificate = result.certificate;
  Attempt& attempt = exchange.attempt;
  attempt.number = 1;
  attempt.started_ms = started;
  attempt.us = result.us;
  attempt.error = Judge(settings.policy, result.error, result.status);
  attempt.error_detail = std::move(result.error_detail);
  if (attempt.error == ErrorKind::kStatus && attempt.error_detail.empty()) {
    attempt.error_detail = Concat("answered ", result.status);
  }
  attempt.status = result.status;
  attempt.remote_address = std::move(result.remote_address);
  attempt.http_version = result.http_version;
  attempt.resends = result.resends;
  attempt.response_body = std::move(result.body);
  attempt.body_truncated = result.body_truncated;
  attempt.request_headers = KeptRequestHeaders(headers, settings);
  attempt.response_headers = KeptResponseHeaders(result.headers);
  return exchange;
}

absl::StatusOr<std::shared_ptr<SampleRun>> SampleRun::Make(const Context& context, Endpoint endpoint,
                                                           const std::vector<SampleToSend>& samples,
                                                           std::optional<BinTarget> bin) {
  if (samples.empty() || samples.size() > kMaxTestSamples) {
    return absl::InvalidArgumentError(
        Concat("samples: there are ", samples.size(), ", give 1 to ", kMaxTestSamples));
  }
  std::shared_ptr<SampleRun> run(new SampleRun(context, std::move(endpoint), std::move(bin)));
  const std::string& subscriber = run->endpoint_.subscriber_id;
  const WallMs now = context.clock.Wall();
  size_t bytes = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    auto event = std::make_shared<Event>();
    event->id = RandomEventId(now, PartitionOf(subscriber));
    event->accepted_ms = now;
    event->subscriber_id = subscriber;
    event->type = samples[i].type;
    event->payload = samples[i].sample.payload;
    if (const absl::Status bad = CheckEvent(*event); !bad.ok()) {
      return absl::InvalidArgumentError(Concat("samples[", i, "]: ", std::string(bad.message())));
    }
    bytes += event->payload.size();
    event->payload = BodyOf(run->endpoint_.policy, *event);
    run->results_.push_back({std::move(event), samples[i].sample.name, {}});
  }
  if (bytes > kMaxTestBytes) {
    return absl::InvalidArgumentError(
        Concat("samples: have ", bytes, " bytes of payload, use at most ", kMaxTestBytes));
  }
  return run;
}

void SampleRun::Start(Done done, std::function<bool()> stop) {
  done_ = std::move(done);
  stop_ = std::move(stop);
  Next();
}

void SampleRun::Next() {
  if (next_ == results_.size() || (next_ > 0 && stop_())) {
    std::exchange(done_, nullptr)(std::move(results_));
    return;
  }
  const std::shared_ptr<const Event> event = results_[next_].event;
  const WallMs now = context_.clock.Wall();
  Work work;  // without a sequence: it is of no lane
  work.event = event;
  HttpRequest request = MakeRequest(endpoint_, work, now, {1, context_.user_agent});
  request.headers_unwanted.reset();
  if (bin_) {
    request.url = bin_->url;
    request.oauth2.reset();
    request.to_self = true;
    request.http_version = HttpVersion::kHttp11;
  }
  std::vector<std::pair<std::string, std::string>> headers = request.headers;
  const absl::Status sent = context_.one_shot.Send(
      std::move(request),
      [self = shared_from_this(), now, headers = std::move(headers)](HttpResult result) mutable {
        self->Ended(now, std::move(headers), std::move(result));
      });
  if (!sent.ok()) std::exchange(done_, nullptr)(sent);
}

void SampleRun::Ended(WallMs started, std::vector<std::pair<std::string, std::string>> headers,
                      HttpResult result) {
  const bool answered = result.status != 0;
  results_[next_++].exchange =
      MakeToolExchange(endpoint_, bin_ ? bin_->url : endpoint_.url, headers, started, std::move(result));
  if (!answered) {
    // The others would wait as long, for nothing.
    for (; next_ < results_.size(); ++next_) {
      results_[next_].exchange.diagnosis = {DiagnosisKind::kNotSent,
                                            "not sent: the one before it had no response", ""};
    }
  }
  Next();
}

}  // namespace hookd
