#include "dispatcher/api/profile_service.h"

#include <string>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/policy_convert.h"
#include "dispatcher/api/time_convert.h"

namespace hookd {
namespace {

v1::SettingEffect ToProto(const ProfileEffect& effect) {
  v1::SettingEffect proto;
  if (effect.mode) proto.set_mode(static_cast<v1::DeliveryMode>(*effect.mode));
  if (effect.max_in_flight) proto.set_max_in_flight(*effect.max_in_flight);
  if (effect.max_retries) proto.set_max_retries(*effect.max_retries);
  for (const std::string& type : effect.mutes) proto.add_muted_event_types(type);
  return proto;
}

v1::Ownership ToProto(Ownership ownership) {
  switch (ownership) {
    case Ownership::kNone:
      return v1::OWNERSHIP_NONE;
    case Ownership::kHubChallenge:
      return v1::OWNERSHIP_HUB_CHALLENGE;
    case Ownership::kHmacChallenge:
      return v1::OWNERSHIP_HMAC_CHALLENGE;
    case Ownership::kCloudEvents:
      return v1::OWNERSHIP_CLOUDEVENTS;
  }
  return v1::OWNERSHIP_UNSPECIFIED;
}

v1::Profile ToProto(const Profile& profile) {
  v1::Profile proto;
  proto.set_name(profile.name);
  proto.set_title(profile.title);
  proto.set_description(profile.description);
  *proto.mutable_policy() = hookd::ToProto(profile.policy);
  for (const std::string& field : profile.overridable) proto.add_overridable(field);
  *proto.mutable_longest_timeout() = ToDuration(profile.longest_timeout);
  for (const std::string& scheme : profile.schemes) proto.add_url_schemes(scheme);
  for (const uint16_t port : profile.ports) proto.add_url_ports(port);
  proto.set_endpoints_per_channel(profile.endpoints_per_channel);
  proto.set_custom_headers(profile.custom_headers);
  for (const ProfileSetting& setting : profile.settings) {
    v1::ProfileSetting& added = *proto.add_settings();
    added.set_name(setting.name);
    for (const std::string& alias : setting.aliases) added.add_aliases(alias);
    added.set_default_(setting.on);
    added.set_description(setting.description);
    *added.mutable_when_on() = ToProto(setting.when_on);
    *added.mutable_when_off() = ToProto(setting.when_off);
  }
  for (const std::string& plan : profile.simulation_plans) proto.add_simulation_plans(plan);
  for (const std::string& plan : profile.capture_plans) proto.add_capture_plans(plan);
  proto.set_ownership(ToProto(profile.ownership));
  if (profile.api_key) {
    proto.mutable_api_key()->set_header(profile.api_key->header);
    proto.mutable_api_key()->set_clears_endpoints(profile.api_key->clears_endpoints);
    proto.mutable_api_key()->set_echoes_headers(profile.api_key->echoes_headers);
  }
  proto.set_event_type_count(static_cast<uint32_t>(profile.event_types.size()));
  return proto;
}

v1::EventType ToProto(const ProfileEventType& type, bool whole) {
  v1::EventType proto;
  proto.set_name(type.name);
  proto.set_title(type.title);
  proto.set_description(type.description);
  proto.set_shape(type.batch ? v1::EVENT_SHAPE_BATCH : v1::EVENT_SHAPE_OBJECT);
  for (const std::string& plan : type.plans) proto.add_plans(plan);
  for (const ProfileSample& sample : type.samples) {
    v1::Sample& added = *proto.add_samples();
    added.set_name(sample.name);
    added.set_description(sample.description);
    if (whole) added.set_payload(sample.payload);
  }
  if (whole) proto.set_schema(type.schema);
  return proto;
}

// A profile that is asked for, not referred to.
absl::StatusOr<const LoadedProfile*> Find(const Profiles& profiles, const std::string& name) {
  absl::StatusOr<const LoadedProfile*> found = profiles.Get(name);
  if (!found.ok()) return absl::NotFoundError(found.status().message());
  return found;
}

}  // namespace

grpc::Status ProfileService::ListProfiles(grpc::ServerContext*, const v1::ListProfilesRequest*,
                                          v1::ListProfilesResponse* response) {
  for (const auto& profile : profiles_.all()) *response->add_profiles() = ToProto(**profile);
  return grpc::Status::OK;
}

grpc::Status ProfileService::GetProfile(grpc::ServerContext*, const v1::GetProfileRequest* request,
                                        v1::Profile* response) {
  const absl::StatusOr<const LoadedProfile*> profile = Find(profiles_, request->name());
  if (profile.ok()) *response = ToProto(***profile);
  return ToGrpc(profile.status());
}

grpc::Status ProfileService::ListEventTypes(grpc::ServerContext*, const v1::ListEventTypesRequest* request,
                                            v1::ListEventTypesResponse* response) {
  const absl::StatusOr<const LoadedProfile*> profile = Find(profiles_, request->profile());
  if (!profile.ok()) return ToGrpc(profile.status());
  for (const ProfileEventType& type : (**profile)->event_types) {
    *response->add_event_types() = ToProto(type, /*whole=*/false);
  }
  return grpc::Status::OK;
}

grpc::Status ProfileService::GetEventType(grpc::ServerContext*, const v1::GetEventTypeRequest* request,
                                          v1::EventType* response) {
  const absl::StatusOr<const LoadedProfile*> profile = Find(profiles_, request->profile());
  if (!profile.ok()) return ToGrpc(profile.status());
  const ProfileEventType* type = (*profile)->FindType(request->type());
  if (type == nullptr) {
    return ToGrpc(absl::NotFoundError(absl::StrCat("type: profile ", (**profile)->name, " has no type ",
                                                   absl::CHexEscape(request->type().substr(0, 128)),
                                                   ", ListEventTypes has all of them")));
  }
  *response = ToProto(*type, /*whole=*/true);
  return grpc::Status::OK;
}

}  // namespace hookd
