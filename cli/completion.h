// Shell completion, from the tree of commands itself.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace hookd::cli {

struct CompletedOption {
  std::vector<std::string> names;  // "--state", "-y"
  std::string help;
  bool takes_value = false;
  bool is_file = false;
  std::vector<std::string> values;  // what the value can be; empty = anything
};

struct CompletedCommand {
  std::string path;  // "deliveries list"; "" = the root
  std::string help;
  std::vector<std::string> words;  // of commands below it, with their other names
  std::vector<CompletedOption> options;
};

// Depth first; another name of a command is a command of its own here.
std::vector<CompletedCommand> CommandTree(const CLI::App& root);

std::string BashCompletion(const std::vector<CompletedCommand>& tree);
std::string ZshCompletion(const std::vector<CompletedCommand>& tree);
std::string FishCompletion(const std::vector<CompletedCommand>& tree);

}  // namespace hookd::cli
