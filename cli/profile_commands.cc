#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_join.h>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/endpoint_text.h"
#include "cli/output.h"
#include "cli/words.h"
#include "hookd/v1/profile_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using Stub = v1::ProfileService::Stub;

struct Flags {
  std::string profile;
  std::string type;
};

std::string PlansText(const google::protobuf::RepeatedPtrField<std::string>& plans) {
  return plans.empty() ? "all" : absl::StrJoin(plans, ", ");
}

std::string EffectText(const v1::SettingEffect& effect) {
  std::vector<std::string> parts;
  if (effect.mode() != v1::DELIVERY_MODE_UNSPECIFIED) parts.push_back("mode " + ModeName(effect.mode()));
  if (effect.has_max_in_flight()) parts.push_back(Concat(effect.max_in_flight(), " in flight"));
  if (effect.has_max_retries()) parts.push_back(Concat(effect.max_retries(), " retries"));
  if (!effect.muted_event_types().empty())
    parts.push_back("mutes " + absl::StrJoin(effect.muted_event_types(), " "));
  return absl::StrJoin(parts, ", ");
}

std::string SettingText(const v1::ProfileSetting& setting) {
  const std::string on = EffectText(setting.when_on());
  const std::string off = EffectText(setting.when_off());
  std::string text = Concat(setting.default_() ? "on" : "off", ". ", setting.description());
  if (!on.empty()) text += Concat(" On: ", on, ".");
  if (!off.empty()) text += Concat(" Off: ", off, ".");
  if (on.empty() && off.empty()) text += " (the platform acts on it)";
  if (!setting.aliases().empty())
    text += Concat(" Also called ", absl::StrJoin(setting.aliases(), ", "), ".");
  return text;
}

void List(Session& session) {
  v1::ListProfilesResponse response;
  if (!Ask<v1::ProfileService>(session, &Stub::ListProfiles, v1::ListProfilesRequest(), response)) return;
  if (session.json) return PrintJson(response);
  std::vector<Row> rows;
  for (const v1::Profile& profile : response.profiles()) {
    rows.push_back({profile.name(), OneLine(profile.title(), 40), ModeName(profile.policy().mode()),
                    std::to_string(profile.policy().max_retries()),
                    std::to_string(profile.event_type_count()), OneLine(profile.description(), 80)});
  }
  PrintTable({"NAME", "TITLE", "MODE", "RETRIES", "EVENT TYPES", "DESCRIPTION"}, rows);
}

void Show(Session& session, const Flags& flags) {
  v1::GetProfileRequest request;
  request.set_name(flags.profile);
  v1::Profile profile;
  if (!Ask<v1::ProfileService>(session, &Stub::GetProfile, request, profile)) return;
  if (session.json) return PrintJson(profile);
  Fields fields = {
      {"name", profile.name()}, {"title", profile.title()}, {"description", profile.description()}};
  AddPolicy(profile.policy(), fields);
  const std::string ports = absl::StrJoin(profile.url_ports(), ", ");
  const Fields rest = {
      {"an endpoint may set", absl::StrJoin(profile.overridable(), ", ")},
      {"longest timeout", DurationText(profile.longest_timeout())},
      {"url", Concat(absl::StrJoin(profile.url_schemes(), " or "), ports.empty() ? "" : ", port ", ports)},
      {"endpoints", profile.endpoints_per_channel() == 0
                        ? std::string("any number")
                        : Concat("at most ", profile.endpoints_per_channel(), " for one channel")},
      {"own headers", YesNo(profile.custom_headers())},
      {"simulation", "plans: " + PlansText(profile.simulation_plans())},
      {"captures", "plans: " + PlansText(profile.capture_plans())},
      {"ownership", Word(profile.ownership())},
      {"api key", profile.has_api_key() ? profile.api_key().header() : ""},
      {"event types", std::to_string(profile.event_type_count())},
  };
  fields.insert(fields.end(), rest.begin(), rest.end());
  for (const v1::ProfileSetting& setting : profile.settings()) {
    fields.emplace_back("setting " + setting.name(), SettingText(setting));
  }
  PrintFields(fields);
}

void ListTypes(Session& session, const Flags& flags) {
  v1::ListEventTypesRequest request;
  request.set_profile(flags.profile);
  v1::ListEventTypesResponse response;
  if (!Ask<v1::ProfileService>(session, &Stub::ListEventTypes, request, response)) return;
  if (session.json) return PrintJson(response);
  std::vector<Row> rows;
  for (const v1::EventType& type : response.event_types()) {
    std::vector<std::string> samples;
    for (const v1::Sample& sample : type.samples()) samples.push_back(sample.name());
    rows.push_back({type.name(), Word(type.shape()), PlansText(type.plans()), absl::StrJoin(samples, ", "),
                    OneLine(type.description(), 100)});
  }
  PrintTable({"TYPE", "SHAPE", "PLANS", "SAMPLES", "MEANING"}, rows);
}

void ShowType(Session& session, const Flags& flags) {
  v1::GetEventTypeRequest request;
  request.set_profile(flags.profile);
  request.set_type(flags.type);
  v1::EventType type;
  if (!Ask<v1::ProfileService>(session, &Stub::GetEventType, request, type)) return;
  if (session.json) return PrintJson(type);
  PrintFields({{"type", type.name()},
               {"title", type.title()},
               {"meaning", type.description()},
               {"shape", Word(type.shape())},
               {"plans", PlansText(type.plans())},
               {"schema", type.schema().empty() ? "any JSON" : ""}});
  for (const v1::Sample& sample : type.samples()) {
    std::cout << "\nsample " << Printable(sample.name())
              << (sample.description().empty() ? "" : ": " + Printable(sample.description())) << "\n"
              << sample.payload() << (sample.payload().ends_with('\n') ? "" : "\n");
  }
  if (!type.schema().empty())
    std::cout << "\nschema\n" << type.schema() << (type.schema().ends_with('\n') ? "" : "\n");
}

// All catalogues, one after the other.
void ListCatalogues(Session& session) {
  v1::ListProfilesResponse response;
  if (!Ask<v1::ProfileService>(session, &Stub::ListProfiles, v1::ListProfilesRequest(), response)) return;
  if (session.json) return PrintJson(response);
  for (const v1::Profile& profile : response.profiles()) {
    std::cout << Printable(profile.name()) << "\n";
    ListTypes(session, {profile.name(), ""});
    std::cout << "\n";
  }
}

}  // namespace

void AddProfileCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("profiles", "presets of endpoints, with their event catalogues");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  noun.add_subcommand("list", "show the profiles")->callback([&session] { List(session); });
  CLI::App* show = noun.add_subcommand("show", "show all that a profile says");
  show->add_option("name", flags->profile, "such as standard")->required();
  show->callback([&session, flags] { Show(session, *flags); });

  CLI::App* catalogue = app.add_subcommand(
      "catalogue", "show event types: all, of a profile, or one with its schema and samples");
  catalogue->add_option("profile", flags->profile, "such as standard");
  catalogue->add_option("type", flags->type, "an event type of it");
  catalogue->callback([&session, flags] {
    if (flags->profile.empty()) return ListCatalogues(session);
    return flags->type.empty() ? ListTypes(session, *flags) : ShowType(session, *flags);
  });
}

}  // namespace hookd::cli
