#include "dispatcher/engine/request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/authorization.h"
#include "dispatcher/core/signing_keys.h"

namespace hookd {

namespace {

// What the receiver knows it by.
const EventId& WebhookId(const Work& work) { return work.batch == nullptr ? work.event->id : work.batch->id; }

std::string Sequences(const Work& work, uint32_t epoch) {
  if (work.batch == nullptr) return Concat(epoch, ".", work.sequence);
  std::string all;
  for (const Batch::Member& member : work.batch->members) {
    if (!all.empty()) all += ',';
    all += Concat(epoch, ".", member.sequence);
  }
  return all;
}

// Each once, in the order in which they come.
std::string Types(const Work& work) {
  if (work.batch == nullptr) return work.event->type;
  std::vector<std::string_view> types;
  std::string all;
  for (const Batch::Member& member : work.batch->members) {
    if (std::find(types.begin(), types.end(), member.event->type) != types.end()) continue;
    types.push_back(member.event->type);
    if (!all.empty()) all += ',';
    all += member.event->type;
  }
  return all;
}

std::string ArrayOf(const Batch& batch) {
  size_t size = batch.members.size() + 1;
  for (const Batch::Member& member : batch.members) size += member.event->payload.size();
  std::string array;
  array.reserve(size);
  for (const Batch::Member& member : batch.members) {
    array += array.empty() ? '[' : ',';
    array += member.event->payload;
  }
  array += ']';
  return array;
}

}  // namespace

void AddOwnHeaders(const Endpoint& endpoint, std::vector<std::pair<std::string, std::string>>& headers) {
  for (const Header& header : endpoint.headers) headers.emplace_back(header.name, header.value);
  const std::shared_ptr<const BasicCredentials>& basic = endpoint.authorization.basic;
  if (basic != nullptr) headers.emplace_back("Authorization", BasicValue(*basic));
}

std::vector<std::pair<std::string, std::string>> RequestHeaders(const Endpoint& endpoint, const Work& work,
                                                                WallMs now, const RequestContext& context,
                                                                std::string signature) {
  const Event& event = *work.event;
  const bool traced = work.batch == nullptr || work.batch->members.size() == 1;  // a trace is of one event
  std::vector<std::pair<std::string, std::string>> headers;
  headers.reserve(10 + endpoint.headers.size());
  headers.emplace_back("Content-Type", "application/json");
  headers.emplace_back("User-Agent", context.user_agent);
  headers.emplace_back("webhook-id", WebhookId(work).ToString());
  headers.emplace_back("webhook-timestamp", std::to_string(now / 1000));
  headers.emplace_back("webhook-signature", std::move(signature));
  if (work.sequence != 0) headers.emplace_back("hookd-sequence", Sequences(work, context.epoch));
  headers.emplace_back("hookd-attempt", std::to_string(work.attempt));
  headers.emplace_back("hookd-event-type", Types(work));
  if (traced && !event.traceparent.empty()) headers.emplace_back("traceparent", event.traceparent);
  if (traced && !event.tracestate.empty()) headers.emplace_back("tracestate", event.tracestate);
  AddOwnHeaders(endpoint, headers);
  return headers;
}

HttpRequest MakeRequest(const Endpoint& endpoint, const Work& work, WallMs now,
                        const RequestContext& context) {
  const DeliveryPolicy& policy = endpoint.policy;
  HttpRequest request;
  request.url = endpoint.url;
  request.tls = endpoint.tls;
  request.timeout = policy.timeout;
  request.http_version = policy.http_version;
  if (work.batch == nullptr) {
    request.body = work.event->payload;
    request.body_owner = work.event;
  } else {
    const auto array = std::make_shared<const std::string>(ArrayOf(*work.batch));
    request.body = *array;
    request.body_owner = array;
  }
  request.oauth2 = endpoint.authorization.oauth2;
  request.headers =
      RequestHeaders(endpoint, work, now, context,
                     Sign(endpoint.signing_keys, now, WebhookId(work).ToString(), request.body));
  if (!policy.keep_all_bodies && !policy.success.empty()) request.headers_unwanted = policy.success.front();
  return request;
}

std::string HostOf(const std::string& url) {
  if (url.empty()) return url;  // an endpoint whose URL was cleared
  const size_t start = url.find("://") + 3;
  return url.substr(start, url.find_first_of("/?", start) - start);
}

}  // namespace hookd
