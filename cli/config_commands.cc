#include <vector>

#include <google/protobuf/struct.pb.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/settings.h"

namespace hookd::cli {
namespace {

// The root has read it before: it is there, and right.
SettingsFile File() { return LoadSettings().value_or(SettingsFile()); }

void List(const Session& session) {
  const SettingsFile file = File();
  if (session.json) {
    google::protobuf::Struct document;
    auto& profiles = *(*document.mutable_fields())["profiles"].mutable_struct_value()->mutable_fields();
    for (const auto& [name, profile] : file.profiles) {
      auto& fields = *profiles[name].mutable_struct_value()->mutable_fields();
      if (profile.server) fields["server"].set_string_value(*profile.server);
      if (profile.output) fields["output"].set_string_value(*profile.output);
      if (profile.deadline_seconds) fields["deadline"].set_number_value(*profile.deadline_seconds);
    }
    (*document.mutable_fields())["profile"].set_string_value(session.profile);
    return PrintJson(document);
  }
  std::vector<Row> rows;
  for (const auto& [name, profile] : file.profiles) {
    rows.push_back({name == session.profile ? "*" : "", name, profile.server.value_or("-"),
                    profile.output.value_or("-"),
                    profile.deadline_seconds ? std::to_string(*profile.deadline_seconds) + "s" : "-"});
  }
  PrintTable({"", "PROFILE", "SERVER", "OUTPUT", "DEADLINE"}, rows);
}

void Show(const Session& session) {
  const auto from = [&session](const char* name) { return session.sources.at(name); };
  if (session.json) {
    google::protobuf::Struct document;
    auto& fields = *document.mutable_fields();
    fields["file"].set_string_value(SettingsPath());
    fields["profile"].set_string_value(session.profile);
    fields["server"].set_string_value(session.server);
    fields["output"].set_string_value("json");
    fields["deadline"].set_number_value(session.timeout_seconds);
    return PrintJson(document);
  }
  PrintTable({"SETTING", "VALUE", "FROM"},
             {{"file", SettingsPath(), ""},
              {"profile", session.profile.empty() ? "-" : session.profile, ""},
              {"server", session.server, from("server")},
              {"output", "table", from("output")},
              {"deadline", std::to_string(session.timeout_seconds) + "s", from("deadline")}});
}

}  // namespace

void AddConfigCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("config", "hookctl's own settings");
  noun.require_subcommand(1);
  noun.add_subcommand("list", "the profiles of the configuration file")->callback([&session] {
    List(session);
  });
  noun.add_subcommand("show", "the settings in force, and where each comes from")->callback([&session] {
    Show(session);
  });
}

}  // namespace hookd::cli
