#include "cli/completion.h"

#include <absl/strings/match.h>
#include <absl/strings/str_split.h>

#include "base/concat.h"

namespace hookd::cli {
namespace {

// CLI11 keeps no list of a check's words, but says them: "TEXT:{table,json}".
std::vector<std::string> ValuesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{');
  const size_t end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return absl::StrSplit(type.substr(begin + 1, end - begin - 1), ',');
}

std::vector<CompletedOption> OptionsOf(const CLI::App& app) {
  std::vector<CompletedOption> options;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) continue;
    CompletedOption completed;
    for (const std::string& name : option->get_lnames()) completed.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) completed.names.push_back("-" + name);
    completed.help = option->get_description();
    completed.takes_value = option->get_items_expected_max() > 0;
    completed.values = ValuesOf(*option);
    for (const std::string& name : option->get_lnames()) {
      if (name == "file" || absl::EndsWith(name, "-file")) completed.is_file = true;
    }
    options.push_back(std::move(completed));
  }
  return options;
}

void AddCommand(const CLI::App& app, const std::string& path, std::vector<CompletedCommand>& tree) {
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  CompletedCommand command{path, app.get_description(), {}, OptionsOf(app)};
  const auto names_of = [](const CLI::App& sub) {
    std::vector<std::string> names = {sub.get_name()};
    names.insert(names.end(), sub.get_aliases().begin(), sub.get_aliases().end());
    return names;
  };
  for (const CLI::App* sub : below) {
    for (const std::string& name : names_of(*sub)) command.words.push_back(name);
  }
  tree.push_back(std::move(command));
  for (const CLI::App* sub : below) {
    for (const std::string& name : names_of(*sub)) {
      AddCommand(*sub, Concat(path, path.empty() ? "" : " ", name), tree);
    }
  }
}

}  // namespace

std::vector<CompletedCommand> CommandTree(const CLI::App& root) {
  std::vector<CompletedCommand> tree;
  AddCommand(root, "", tree);
  return tree;
}

}  // namespace hookd::cli
