#include "dispatcher/engine/request.h"

#include <utility>

#include "base/concat.h"
#include "dispatcher/core/signature.h"

namespace hookd {

HttpRequest MakeRequest(const Endpoint& endpoint, std::shared_ptr<const Event> event, Sequence sequence,
                        uint32_t attempt, WallMs now, const RequestContext& context) {
  HttpRequest request;
  request.url = endpoint.url;
  request.timeout = endpoint.policy.timeout;
  request.http_version = endpoint.policy.http_version;
  const std::string id = event->id.ToString();
  const int64_t seconds = now / 1000;
  auto& headers = request.headers;
  headers.reserve(9 + endpoint.headers.size());
  headers.emplace_back("Content-Type", "application/json");
  headers.emplace_back("User-Agent", context.user_agent);
  headers.emplace_back("webhook-id", id);
  headers.emplace_back("webhook-timestamp", std::to_string(seconds));
  headers.emplace_back("webhook-signature", SignV1(endpoint.signing_keys, id, seconds, event->payload));
  headers.emplace_back("hookd-sequence", Concat(context.epoch, ".", sequence));
  headers.emplace_back("hookd-attempt", std::to_string(attempt));
  headers.emplace_back("hookd-event-type", event->type);
  if (!event->traceparent.empty()) headers.emplace_back("traceparent", event->traceparent);
  for (const Header& header : endpoint.headers) headers.emplace_back(header.name, header.value);
  request.body = event->payload;
  request.body_owner = std::move(event);
  return request;
}

std::string HostOf(const std::string& url) {
  const size_t start = url.find("://") + 3;
  return url.substr(start, url.find_first_of("/?", start) - start);
}

}  // namespace hookd
