#include <iostream>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/completion.h"

namespace hookd::cli {

void AddCompletionCommand(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand("completion", "a script that completes hookctl in a shell");
  completion->add_option("shell", *shell, "which one")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([&app, shell] {
    const auto tree = CommandTree(app);
    if (*shell == "bash") std::cout << BashCompletion(tree);
    if (*shell == "zsh") std::cout << ZshCompletion(tree);
    if (*shell == "fish") std::cout << FishCompletion(tree);
  });
}

}  // namespace hookd::cli
