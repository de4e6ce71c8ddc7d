#include "dispatcher/engine/request.h"

#include <utility>

#include "base/concat.h"
#include "dispatcher/core/signature.h"

namespace hookd {

std::vector<std::pair<std::string, std::string>> RequestHeaders(const Endpoint& endpoint, const Event& event,
                                                                Sequence sequence, uint32_t attempt,
                                                                WallMs now, const RequestContext& context,
                                                                std::string signature) {
  std::vector<std::pair<std::string, std::string>> headers;
  headers.reserve(10 + endpoint.headers.size());
  headers.emplace_back("Content-Type", "application/json");
  headers.emplace_back("User-Agent", context.user_agent);
  headers.emplace_back("webhook-id", event.id.ToString());
  headers.emplace_back("webhook-timestamp", std::to_string(now / 1000));
  headers.emplace_back("webhook-signature", std::move(signature));
  if (sequence != 0) headers.emplace_back("hookd-sequence", Concat(context.epoch, ".", sequence));
  headers.emplace_back("hookd-attempt", std::to_string(attempt));
  headers.emplace_back("hookd-event-type", event.type);
  if (!event.traceparent.empty()) headers.emplace_back("traceparent", event.traceparent);
  if (!event.tracestate.empty()) headers.emplace_back("tracestate", event.tracestate);
  for (const Header& header : endpoint.headers) headers.emplace_back(header.name, header.value);
  return headers;
}

HttpRequest MakeRequest(const Endpoint& endpoint, std::shared_ptr<const Event> event, Sequence sequence,
                        uint32_t attempt, WallMs now, const RequestContext& context) {
  const DeliveryPolicy& policy = endpoint.policy;
  HttpRequest request;
  request.url = endpoint.url;
  request.timeout = policy.timeout;
  request.http_version = policy.http_version;
  request.headers =
      RequestHeaders(endpoint, *event, sequence, attempt, now, context,
                     SignV1(endpoint.signing_keys, event->id.ToString(), now / 1000, event->payload));
  if (!policy.keep_all_bodies && !policy.success.empty()) request.headers_unwanted = policy.success.front();
  request.body = event->payload;
  request.body_owner = std::move(event);
  return request;
}

std::string HostOf(const std::string& url) {
  const size_t start = url.find("://") + 3;
  return url.substr(start, url.find_first_of("/?", start) - start);
}

}  // namespace hookd
