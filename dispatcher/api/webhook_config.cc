#include "dispatcher/api/webhook_config.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/acting.h"
#include "base/status_macros.h"
#include "dispatcher/api/endpoint_update.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/tools/toolbox.h"

namespace hookd {
namespace {

namespace json = boost::json;

// Endpoints of a subscriber that are looked through for the one without channels.
constexpr size_t kMaxLookedAt = 1'000;
constexpr std::string_view kMaskedValue = "***";

json::string Json(std::string_view text) { return json::string(text.data(), text.size()); }

// Who calls, and for which subscriber.
struct Customer {
  std::string subscriber_id;
  bool echoes_headers = false;
  AuditOrigin origin;
};

absl::StatusOr<std::string> SubscriberOf(const AccessToken& token, std::string_view target) {
  const std::string_view named = QueryValue(target, "subscriber").value_or("");
  if (named.empty()) {
    if (token.subscriber_ids.size() == 1) return token.subscriber_ids.front();
    return absl::InvalidArgumentError(
        "subscriber: the key is for several, add ?subscriber= with one of them");
  }
  for (const std::string& id : token.subscriber_ids) {
    if (id == named) return id;
  }
  return absl::UnauthenticatedError("the key is not for this subscriber");
}

// The header whose name some profile gives, and the key in it.
absl::StatusOr<Customer> Authenticate(Engine& engine, Authenticator& keys, const RestRequest& request) {
  const absl::Status unknown = absl::UnauthenticatedError("the API key is missing or not valid");
  for (const auto& profile : engine.profiles().all()) {
    if (!(*profile)->api_key) continue;
    const std::string& header = (*profile)->api_key->header;
    const std::string* key = FindHeader(request, header);
    if (key == nullptr) continue;
    const absl::StatusOr<Caller> caller = keys.Identify(*key, request.remote);
    if (absl::IsUnauthenticated(caller.status())) return unknown;
    RETURN_IF_ERROR(caller.status());
    const AccessToken& token = *caller->token;
    if (token.role != TokenRole::kSubscriber) return unknown;
    ASSIGN_OR_RETURN(const std::string id, SubscriberOf(token, request.target));
    const absl::StatusOr<SubscriberView> view = engine.GetSubscriber(id);
    if (absl::IsNotFound(view.status())) return unknown;
    RETURN_IF_ERROR(view.status());
    const LoadedProfile* own = engine.profiles().Find(view->subscriber.profile);
    // Profiles may share a header's name: the subscriber's own counts.
    if (own == nullptr || !(*own)->api_key || !absl::EqualsIgnoreCase((*own)->api_key->header, header)) {
      return unknown;
    }
    Customer customer{id, (*own)->api_key->echoes_headers, OriginOfToken(&token)};
    customer.origin.peer = request.remote;
    customer.origin.call = absl::StrCat(request.method, " ", std::string(kWebhookConfigPath));
    return customer;
  }
  return unknown;
}

// The one that takes every channel; nullopt = it has none.
absl::StatusOr<std::optional<EndpointView>> FindEndpoint(Engine& engine, const std::string& subscriber) {
  ASSIGN_OR_RETURN(const std::vector<EndpointView> all,
                   engine.ListEndpoints(subscriber, EndpointId{}, kMaxLookedAt));
  for (const EndpointView& view : all) {
    if (view.endpoint->channels.empty()) return view;
  }
  return std::nullopt;
}

RestAnswer Shown(std::string_view url, const std::vector<Header>& headers, bool in_clear) {
  json::object shown;
  for (const Header& header : headers) {
    shown.insert_or_assign(header.name, Json(in_clear ? std::string_view(header.value) : kMaskedValue));
  }
  json::object document;
  document.emplace("url", Json(url));
  document.emplace("headers", std::move(shown));
  return {200, json::serialize(document)};
}

absl::StatusOr<v1::Endpoint> ReadBody(const RestRequest& request, const std::string& subscriber) {
  const std::string* type = FindHeader(request, "Content-Type");
  if (type == nullptr || !absl::StartsWithIgnoreCase(*type, "application/json")) {
    return absl::InvalidArgumentError("Content-Type: is not application/json");
  }
  boost::system::error_code error;
  const json::value value = json::parse(request.body, error);
  if (error || !value.is_object()) {
    return absl::InvalidArgumentError(
        "body: is not a JSON object such as {\"url\": ..., \"headers\": {...}}");
  }
  v1::Endpoint endpoint;
  endpoint.set_subscriber_id(subscriber);
  for (const auto& [name, member] : value.get_object()) {
    if (name == "url") {
      if (!member.is_string()) return absl::InvalidArgumentError("url: is not a text");
      endpoint.set_url(std::string(member.get_string()));
    } else if (name == "headers") {
      if (!member.is_object()) return absl::InvalidArgumentError("headers: is not an object of texts");
      for (const auto& [header, text] : member.get_object()) {
        if (!text.is_string()) {
          return absl::InvalidArgumentError(
              absl::StrCat("headers: the value of ", std::string(header), " is not a text"));
        }
        v1::Header& added = *endpoint.add_headers();
        added.set_name(std::string(header));
        added.set_value(std::string(text.get_string()));
        // Nobody but the key's owner reads it.
        added.set_secret(!added.value().empty());
      }
    } else {
      return absl::InvalidArgumentError(absl::StrCat(std::string(name), ": there are url and headers alone"));
    }
  }
  if (endpoint.url().empty()) return absl::InvalidArgumentError("url: is missing");
  if (!absl::StrContains(endpoint.url(), "://")) {
    return absl::InvalidArgumentError("url: has no scheme, begin with https://");
  }
  return endpoint;
}

absl::StatusOr<RestAnswer> Post(Engine& engine, const Toolbox* tools, const RestRequest& request,
                                const Customer& caller) {
  ASSIGN_OR_RETURN(const v1::Endpoint wanted, ReadBody(request, caller.subscriber_id));
  ASSIGN_OR_RETURN(const std::optional<EndpointView> present, FindEndpoint(engine, caller.subscriber_id));
  const auto must_verify = [tools](const Endpoint& endpoint) {
    return tools != nullptr && tools->MustVerify(endpoint);
  };
  absl::StatusOr<EndpointView> stored;
  if (present) {
    google::protobuf::FieldMask mask;
    mask.add_paths("url");
    mask.add_paths("headers");
    ASSIGN_OR_RETURN(const EndpointUpdate update, EndpointUpdate::Make(wanted, mask));
    stored = engine.UpdateEndpoint(present->endpoint->id, [&](const OwnerView& owner, Endpoint& endpoint) {
      const std::string url = endpoint.url;
      RETURN_IF_ERROR(update.Apply(engine.profiles(), owner, endpoint));
      if (endpoint.url != url && must_verify(endpoint)) endpoint.disabled = DisableReason::kUnverified;
      return absl::OkStatus();
    });
  } else {
    ASSIGN_OR_RETURN(const NewEndpoint made, NewEndpoint::Make(wanted));
    stored = engine.CreateEndpoint(made.endpoint(), [&](const OwnerView& owner, Endpoint& endpoint) {
      RETURN_IF_ERROR(made.Finish(engine.profiles(), owner, endpoint));
      if (must_verify(endpoint)) endpoint.disabled = DisableReason::kUnverified;
      return absl::OkStatus();
    });
  }
  RETURN_IF_ERROR(stored.status());
  return Shown(stored->endpoint->url, stored->endpoint->headers, caller.echoes_headers);
}

absl::StatusOr<RestAnswer> Get(Engine& engine, const Customer& caller) {
  ASSIGN_OR_RETURN(const std::optional<EndpointView> present, FindEndpoint(engine, caller.subscriber_id));
  if (!present || present->endpoint->url.empty()) {
    return absl::NotFoundError("no webhook URL is set: set it with POST");
  }
  return Shown(present->endpoint->url, present->endpoint->headers, caller.echoes_headers);
}

absl::StatusOr<RestAnswer> Delete(Engine& engine, const Customer& caller) {
  ASSIGN_OR_RETURN(const std::optional<EndpointView> present, FindEndpoint(engine, caller.subscriber_id));
  if (present) {
    const absl::Status deleted = engine.DeleteEndpoint(present->endpoint->id);
    if (!absl::IsNotFound(deleted)) RETURN_IF_ERROR(deleted);
  }
  return Shown("", {}, true);
}

absl::StatusOr<RestAnswer> Carry(Engine& engine, const Toolbox* tools, Authenticator& keys,
                                 const RestRequest& request) {
  ASSIGN_OR_RETURN(const Customer caller, Authenticate(engine, keys, request));
  const Acting acting(caller.origin);
  if (request.method == "POST") return Post(engine, tools, request, caller);
  if (request.method == "GET") return Get(engine, caller);
  return Delete(engine, caller);
}

RestAnswer Failed(const absl::Status& status) {
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return WebhookConfigFailed(400, "the request cannot be carried out as it is", {message});
    case absl::StatusCode::kUnauthenticated:
      return WebhookConfigFailed(401, message, {});
    case absl::StatusCode::kNotFound:
      return WebhookConfigFailed(404, message, {});
    case absl::StatusCode::kResourceExhausted:
      return WebhookConfigFailed(429, message, {});
    default:
      return WebhookConfigFailed(500, message, {});
  }
}

}  // namespace

bool IsWebhookConfig(std::string_view target) {
  return target.substr(0, target.find('?')) == kWebhookConfigPath;
}

RestAnswer WebhookConfigFailed(int status, std::string_view message,
                               const std::vector<std::string>& details) {
  json::object meta;
  meta.emplace("success", false);
  meta.emplace("http_code", status);
  meta.emplace("developer_message", Json(message));
  if (!details.empty()) {
    json::array list;
    for (const std::string& detail : details) list.emplace_back(Json(detail));
    meta.emplace("details", std::move(list));
  }
  json::object document;
  document.emplace("meta", std::move(meta));
  return {status, json::serialize(document)};
}

RestAnswer ConfigureWebhook(Engine& engine, const Toolbox* tools, Authenticator& keys,
                            const RestRequest& request) {
  if (request.method != "POST" && request.method != "GET" && request.method != "DELETE") {
    return WebhookConfigFailed(405, "use POST, GET or DELETE", {});
  }
  if (request.body_too_large) {
    return WebhookConfigFailed(413, absl::StrCat("the body is larger than ", kMaxRestBodyBytes, " bytes"),
                               {});
  }
  absl::StatusOr<RestAnswer> answer = Carry(engine, tools, keys, request);
  return answer.ok() ? *std::move(answer) : Failed(answer.status());
}

}  // namespace hookd
