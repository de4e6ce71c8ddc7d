#include "dispatcher/api/endpoint_update.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/strings/match.h>
#include <google/protobuf/util/field_mask_util.h>

#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/field_mask.h"
#include "dispatcher/core/endpoint_rules.h"

namespace hookd {
namespace {

// In place of what the mask does not name, so that the rules judge the rest.
constexpr char kAnySubscriber[] = "any";
constexpr char kAnyUrl[] = "http://any.invalid/";

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

struct Path {
  absl::string_view name;
  void (*copy)(const Endpoint& from, Endpoint& to);
};

constexpr std::array kPaths = {
    Path{"description", [](const Endpoint& from, Endpoint& to) { to.description = from.description; }},
    Path{"url", [](const Endpoint& from, Endpoint& to) { to.url = from.url; }},
    Path{"event_types", [](const Endpoint& from, Endpoint& to) { to.event_types = from.event_types; }},
    Path{"channels", [](const Endpoint& from, Endpoint& to) { to.channels = from.channels; }},
    Path{"headers", CopyHeaders},
    Path{"signing_secret", [](const Endpoint& from, Endpoint& to) { to.signing_keys = from.signing_keys; }},
    Path{"policy", [](const Endpoint& from, Endpoint& to) { to.policy = from.policy; }},
    Path{"policy.mode", [](const Endpoint& from, Endpoint& to) { to.policy.mode = from.policy.mode; }},
    Path{"policy.max_in_flight",
         [](const Endpoint& from, Endpoint& to) { to.policy.max_in_flight = from.policy.max_in_flight; }},
    Path{"policy.timeout",
         [](const Endpoint& from, Endpoint& to) { to.policy.timeout = from.policy.timeout; }},
    Path{"policy.success_codes",
         [](const Endpoint& from, Endpoint& to) { to.policy.success = from.policy.success; }},
    Path{"policy.max_retries",
         [](const Endpoint& from, Endpoint& to) { to.policy.max_retries = from.policy.max_retries; }},
    Path{"policy.backoff",
         [](const Endpoint& from, Endpoint& to) { to.policy.backoff = from.policy.backoff; }},
    Path{"policy.rate_limit", [](const Endpoint& from, Endpoint& to) { to.policy.rate = from.policy.rate; }},
    Path{"policy.retry_after_max",
         [](const Endpoint& from, Endpoint& to) { to.policy.retry_after_max = from.policy.retry_after_max; }},
    Path{"policy.alert_after",
         [](const Endpoint& from, Endpoint& to) { to.policy.alert_after = from.policy.alert_after; }},
    Path{"policy.auto_disable",
         [](const Endpoint& from, Endpoint& to) { to.policy.disable = from.policy.disable; }},
    Path{"policy.backlog",
         [](const Endpoint& from, Endpoint& to) { to.policy.backlog = from.policy.backlog; }},
    Path{"policy.http_version",
         [](const Endpoint& from, Endpoint& to) { to.policy.http_version = from.policy.http_version; }},
    Path{"policy.kept_bodies",
         [](const Endpoint& from, Endpoint& to) { to.policy.keep_all_bodies = from.policy.keep_all_bodies; }},
};

constexpr std::array<absl::string_view, kPaths.size()> kNames = [] {
  std::array<absl::string_view, kPaths.size()> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = kPaths[i].name;
  return names;
}();

}  // namespace

absl::StatusOr<EndpointUpdate> EndpointUpdate::Make(const v1::Endpoint& from,
                                                    const google::protobuf::FieldMask& mask) {
  RETURN_IF_ERROR(CheckFieldMask(mask, kNames));
  v1::Endpoint named;
  google::protobuf::util::FieldMaskUtil::MergeMessageTo(
      from, mask, google::protobuf::util::FieldMaskUtil::MergeOptions(), &named);
  EndpointUpdate update;
  update.paths_.assign(mask.paths().begin(), mask.paths().end());
  const auto names = [&update](absl::string_view path) {
    return std::find(update.paths_.begin(), update.paths_.end(), path) != update.paths_.end();
  };
  if (names("signing_secret") && named.signing_secret().empty()) {
    return absl::InvalidArgumentError(
        "signing_secret: is empty, give \"whsec_\" and base64 of 24 to 64 bytes");
  }
  named.set_subscriber_id(kAnySubscriber);
  if (!names("url")) named.set_url(kAnyUrl);
  ASSIGN_OR_RETURN(update.values_, FromProto(named));
  RETURN_IF_ERROR(CheckEndpoint(update.values_));
  return update;
}

absl::Status EndpointUpdate::Apply(Endpoint& to) const {
  for (const std::string& name : paths_) {
    const auto* path = std::find_if(kPaths.begin(), kPaths.end(),
                                    [&name](const Path& candidate) { return candidate.name == name; });
    path->copy(values_, to);
  }
  RETURN_IF_ERROR(CheckSecretHeaders(to.headers));
  return CheckEndpoint(to);
}

}  // namespace hookd
