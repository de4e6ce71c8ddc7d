#include "dispatcher/api/endpoint_update.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <google/protobuf/util/field_mask_util.h>

#include "base/status_macros.h"
#include "base/url_query.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/field_mask.h"
#include "dispatcher/api/policy_convert.h"
#include "dispatcher/core/endpoint_rules.h"
#include "dispatcher/core/policy_fields.h"
#include "dispatcher/core/profile_resolve.h"

namespace hookd {
namespace {

// In place of what the mask does not name, so that the rules judge the rest.
constexpr char kAnySubscriber[] = "any";
constexpr char kAnyUrl[] = "https://any.invalid/";
constexpr absl::string_view kPolicyPrefix = "policy.";

void CopyHeaders(const Endpoint& from, Endpoint& to) {
  std::vector<Header> headers = from.headers;
  for (Header& header : headers) {
    if (!header.secret || !header.value.empty()) continue;
    const auto kept = std::find_if(to.headers.begin(), to.headers.end(), [&header](const Header& stored) {
      return stored.secret && absl::EqualsIgnoreCase(stored.name, header.name);
    });
    if (kept != to.headers.end()) header.value = kept->value;
  }
  to.headers = std::move(headers);
}

void CopyUrl(const Endpoint& from, Endpoint& to) {
  const bool as_read = HoldsMasked(from.url) && from.url == MaskQuery(to.url);
  if (!as_read) to.url = from.url;
}

// As a secret header without a value, a certificate without a key keeps the stored one.
void CopyTls(const Endpoint& from, Endpoint& to) {
  const std::shared_ptr<const TlsSettings> stored = std::exchange(to.tls, from.tls);
  if (to.tls == nullptr || stored == nullptr) return;
  if (to.tls->client_certificate_pem.empty() || !to.tls->client_key_pem.empty()) return;
  TlsSettings tls = *to.tls;
  tls.client_key_pem = stored->client_key_pem;
  to.tls = std::make_shared<const TlsSettings>(std::move(tls));
}

// A secret that is not given stays, where what it is shown to does.
void CopyAuthorization(const Endpoint& from, Endpoint& to) {
  const Authorization stored = std::exchange(to.authorization, from.authorization);
  const auto& basic = to.authorization.basic;
  if (basic != nullptr && basic->password.empty() && stored.basic != nullptr &&
      stored.basic->user == basic->user) {
    to.authorization.basic = stored.basic;
  }
  const auto& oauth2 = to.authorization.oauth2;
  if (oauth2 != nullptr && oauth2->client_secret.empty() && stored.oauth2 != nullptr &&
      stored.oauth2->token_url == oauth2->token_url && stored.oauth2->client_id == oauth2->client_id) {
    OAuth2Credentials whole = *oauth2;
    whole.client_secret = stored.oauth2->client_secret;
    to.authorization.oauth2 = std::make_shared<const OAuth2Credentials>(std::move(whole));
  }
}

struct Path {
  absl::string_view name;
  void (*copy)(const Endpoint& from, Endpoint& to);
};

// Beside the policy's and the settings.
constexpr std::array kPaths = {
    Path{"description", [](const Endpoint& from, Endpoint& to) { to.description = from.description; }},
    Path{"url", CopyUrl},
    Path{"event_types", [](const Endpoint& from, Endpoint& to) { to.event_types = from.event_types; }},
    Path{"channels", [](const Endpoint& from, Endpoint& to) { to.channels = from.channels; }},
    Path{"headers", CopyHeaders},
    Path{"signing_secret", [](const Endpoint& from, Endpoint& to) { to.signing_keys = from.signing_keys; }},
    Path{"tls", CopyTls},
    Path{"authorization", CopyAuthorization},
};

const std::vector<std::string>& Names() {
  static const auto& names = *[] {
    auto* all = new std::vector<std::string>();
    for (const Path& path : kPaths) all->emplace_back(path.name);
    all->emplace_back("policy");
    for (const PolicyField& field : PolicyFields()) {
      all->push_back(absl::StrCat(kPolicyPrefix, std::string(field.name)));
    }
    all->emplace_back("settings");
    return all;
  }();
  return names;
}

absl::Status RefuseMasked() {
  return absl::InvalidArgumentError(
      "url: its query holds \"***\", which stands for a value that is not shown: give the value itself");
}

// Null: the endpoint has none.
absl::StatusOr<const LoadedProfile*> ProfileOf(const Profiles& profiles, const Endpoint& endpoint) {
  if (endpoint.profile.empty()) return nullptr;
  return profiles.Get(endpoint.profile);
}

absl::StatusOr<Settings> SettingsFor(const LoadedProfile* profile, const Settings& given) {
  if (profile != nullptr) return NormalSettings(**profile, given);
  if (given.empty()) return Settings();
  return absl::InvalidArgumentError(
      "settings: the endpoint has no profile, which would have some: leave them out");
}

}  // namespace

absl::StatusOr<NewEndpoint> NewEndpoint::Make(const v1::Endpoint& from) {
  NewEndpoint made;
  ASSIGN_OR_RETURN(made.endpoint_, FromProto(from));
  RETURN_IF_ERROR(CheckSecretHeaders(made.endpoint_.headers));
  if (HoldsMasked(made.endpoint_.url)) return RefuseMasked();
  made.policy_ = from.policy();
  Endpoint rest = made.endpoint_;
  rest.policy = {};
  RETURN_IF_ERROR(CheckEndpoint(rest));
  return made;
}

absl::Status NewEndpoint::Finish(const Profiles& profiles, const OwnerView& owner, Endpoint& to) const {
  if (to.profile.empty()) to.profile = owner.subscriber.profile;
  ASSIGN_OR_RETURN(const LoadedProfile* profile, ProfileOf(profiles, to));
  ASSIGN_OR_RETURN(to.settings, SettingsFor(profile, to.settings));
  const DeliveryPolicy given = profile == nullptr ? DeliveryPolicy() : PolicyOf(**profile, to.settings);
  ASSIGN_OR_RETURN(to.policy, FromProto(policy_, given));
  Normalise(to.policy);
  RETURN_IF_ERROR(CheckEndpoint(to));
  const LoadedProfile* catalogue = profiles.Find(owner.subscriber.profile);
  if (catalogue != nullptr) RETURN_IF_ERROR(CheckTypesInPlan(*catalogue, owner.subscriber.plan, to));
  if (profile == nullptr) return absl::OkStatus();
  to.muted_event_types = MutedTypes(**profile, to.settings);
  RETURN_IF_ERROR(CheckOverrides(**profile, given, to.policy));
  RETURN_IF_ERROR(CheckUrlAllowed(**profile, to.url, profiles.allow_http()));
  RETURN_IF_ERROR(CheckHeadersAllowed(**profile, to));
  return CheckEndpointCount(**profile, to, owner.endpoints);
}

absl::StatusOr<EndpointUpdate> EndpointUpdate::Make(const v1::Endpoint& from,
                                                    const google::protobuf::FieldMask& mask) {
  const std::vector<std::string>& names = hookd::Names();
  const std::vector<absl::string_view> allowed(names.begin(), names.end());
  RETURN_IF_ERROR(CheckFieldMask(mask, allowed));
  v1::Endpoint named;
  google::protobuf::util::FieldMaskUtil::MergeMessageTo(
      from, mask, google::protobuf::util::FieldMaskUtil::MergeOptions(), &named);
  EndpointUpdate update;
  update.paths_.assign(mask.paths().begin(), mask.paths().end());
  update.names_policy_ = named.has_policy();
  for (const std::string& path : update.paths_) {
    update.names_policy_ |= path == "policy" || absl::StartsWith(path, kPolicyPrefix);
  }
  if (update.Names("signing_secret") && named.signing_secret().empty()) {
    return absl::InvalidArgumentError(
        "signing_secret: is empty, give \"whsec_\" and base64 of 24 to 64 bytes");
  }
  named.set_subscriber_id(kAnySubscriber);
  if (!update.Names("url")) named.set_url(kAnyUrl);
  ASSIGN_OR_RETURN(update.values_, FromProto(named));
  update.policy_.Swap(named.mutable_policy());
  Endpoint rest = update.values_;
  rest.policy = {};
  rest.tls = nullptr;  // complete only with what is stored, as is the next
  rest.authorization = {};
  RETURN_IF_ERROR(CheckEndpoint(rest));
  return update;
}

bool EndpointUpdate::Names(absl::string_view path) const {
  return std::find(paths_.begin(), paths_.end(), path) != paths_.end();
}

absl::Status EndpointUpdate::Apply(const Profiles& profiles, const OwnerView& owner, Endpoint& to) const {
  for (const Path& path : kPaths) {
    if (Names(path.name)) path.copy(values_, to);
  }
  if (Names("url") && to.url == values_.url && HoldsMasked(to.url)) return RefuseMasked();
  // What the update does not work out anew may go on without its profile.
  const LoadedProfile* profile = profiles.Find(to.profile);
  if (names_policy_ || Names("settings")) {
    ASSIGN_OR_RETURN(profile, ProfileOf(profiles, to));
    if (Names("settings")) RETURN_IF_ERROR(ApplySettings(profile, to));
    if (names_policy_) RETURN_IF_ERROR(ApplyPolicy(profile, to));
  }
  RETURN_IF_ERROR(CheckSecretHeaders(to.headers));
  RETURN_IF_ERROR(CheckEndpoint(to));
  return CheckConstraints(profiles, profile, owner, to);
}

absl::Status EndpointUpdate::ApplySettings(const LoadedProfile* profile, Endpoint& to) const {
  ASSIGN_OR_RETURN(Settings settings, SettingsFor(profile, values_.settings));
  if (profile == nullptr) return absl::OkStatus();
  ChangeSettings(**profile, to.settings, settings, to.policy);
  to.settings = std::move(settings);
  to.muted_event_types = MutedTypes(**profile, to.settings);
  return absl::OkStatus();
}

absl::Status EndpointUpdate::ApplyPolicy(const LoadedProfile* profile, Endpoint& to) const {
  const DeliveryPolicy given = profile == nullptr ? DeliveryPolicy() : PolicyOf(**profile, to.settings);
  ASSIGN_OR_RETURN(DeliveryPolicy wanted, FromProto(policy_, given));
  Normalise(wanted);
  // Of the fields that are not named, `wanted` has what the profile gives: that is always allowed.
  if (profile != nullptr) RETURN_IF_ERROR(CheckOverrides(**profile, given, wanted));
  for (const PolicyField& field : PolicyFields()) {
    if (Names("policy") || Names(absl::StrCat(kPolicyPrefix, std::string(field.name))))
      field.copy(wanted, to.policy);
  }
  return absl::OkStatus();
}

absl::Status EndpointUpdate::CheckConstraints(const Profiles& profiles, const LoadedProfile* profile,
                                              const OwnerView& owner, const Endpoint& to) const {
  const LoadedProfile* catalogue = profiles.Find(owner.subscriber.profile);
  if (catalogue != nullptr && Names("event_types")) {
    RETURN_IF_ERROR(CheckTypesInPlan(*catalogue, owner.subscriber.plan, to));
  }
  if (profile == nullptr) return absl::OkStatus();
  if (Names("url")) RETURN_IF_ERROR(CheckUrlAllowed(**profile, to.url, profiles.allow_http()));
  if (Names("headers") || Names("authorization")) RETURN_IF_ERROR(CheckHeadersAllowed(**profile, to));
  if (Names("channels")) RETURN_IF_ERROR(CheckEndpointCount(**profile, to, owner.endpoints));
  return absl::OkStatus();
}

}  // namespace hookd
