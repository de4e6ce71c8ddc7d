#include "dispatcher/tools/verification.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/engine/request.h"

namespace hookd {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Not an event's id: what is signed here is hookd's own text, and can be taken for no delivery.
constexpr char kIdPrefix[] = "verify_";

Proof Judge(const VerificationOrder& order, const std::string& challenge, WallMs now,
            const HttpResult& result) {
  const Endpoint& endpoint = order.endpoint;
  switch (order.method) {
    case VerificationMethod::kHubChallenge:
      return JudgeHub(challenge, result.status, result.body);
    case VerificationMethod::kHmacChallenge:
      return JudgeHmac(SecretsAt(endpoint.signing_keys, now), challenge, result.status, result.body);
    case VerificationMethod::kCloudEvents:
      return JudgeCloudEvents(order.origin, endpoint.policy.rate, result.status,
                              HeaderValue(result.headers, "WebHook-Allowed-Origin"),
                              HeaderValue(result.headers, "WebHook-Allowed-Rate"));
    case VerificationMethod::kNone:
      break;
  }
  return {};
}

}  // namespace

absl::Status Verify(OneShot& one_shot, const Clock& clock, const VerificationOrder& order,
                    std::function<void(VerificationResult)> done) {
  const Endpoint& endpoint = order.endpoint;
  const WallMs now = clock.Wall();
  const std::string challenge = NewChallenge();
  HttpRequest request;
  request.url = endpoint.url;
  request.tls = endpoint.tls;
  request.oauth2 = endpoint.authorization.oauth2;
  request.timeout = std::min(endpoint.policy.timeout, kVerificationTimeout);
  Headers headers{{"User-Agent", order.user_agent}};
  switch (order.method) {
    case VerificationMethod::kHubChallenge:
      request.method = HttpMethod::kGet;
      request.url = HubUrl(endpoint.url, challenge, order.verify_token);
      break;
    case VerificationMethod::kHmacChallenge: {
      auto event = std::make_shared<Event>();
      event->payload = HmacChallengeBody(challenge);
      const std::string id = kIdPrefix + NewChallenge().substr(0, 32);
      headers.emplace_back("Content-Type", "application/json");
      headers.emplace_back("webhook-id", id);
      headers.emplace_back("webhook-timestamp", std::to_string(now / 1000));
      headers.emplace_back("webhook-signature", Sign(endpoint.signing_keys, now, id, event->payload));
      headers.emplace_back("hookd-event-type", "endpoint.verification");
      request.body = event->payload;
      request.body_owner = std::move(event);
      break;
    }
    case VerificationMethod::kCloudEvents:
      request.method = HttpMethod::kOptions;
      headers.emplace_back("WebHook-Request-Origin", order.origin);
      if (const std::optional<uint64_t> rate = RequestRate(endpoint.policy.rate)) {
        headers.emplace_back("WebHook-Request-Rate", std::to_string(*rate));
      }
      break;
    case VerificationMethod::kNone:
      return absl::InvalidArgumentError("method: is none");
  }
  AddOwnHeaders(endpoint, headers);
  request.headers = headers;
  return one_shot.Send(std::move(request), [order, challenge, headers = std::move(headers), now,
                                            done = std::move(done)](HttpResult result) {
    VerificationResult verified;
    if (result.status != 0) verified.proof = Judge(order, challenge, now, result);
    verified.exchange = MakeToolExchange(order.endpoint, order.endpoint.url, headers, now, std::move(result));
    if (verified.exchange.attempt.status == 0) {
      verified.proof.expected = "an answer";
      verified.proof.received = verified.exchange.diagnosis.text;
    }
    done(std::move(verified));
  });
}

}  // namespace hookd
