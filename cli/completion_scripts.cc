#include <set>

#include <absl/strings/match.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>

#include "base/concat.h"
#include "cli/completion.h"

namespace hookd::cli {
namespace {

// The root's options are taken behind every command.
std::vector<CompletedOption> AllOptions(const CompletedCommand& command, const CompletedCommand& root) {
  std::vector<CompletedOption> all = command.options;
  if (command.path.empty()) return all;
  for (const CompletedOption& option : root.options) {
    if (option.names.front() != "--help" && option.names.front() != "--version") all.push_back(option);
  }
  return all;
}

std::string SingleQuoted(const std::string& text) {
  return Concat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string NamesOf(const std::vector<CompletedOption>& options) {
  std::vector<std::string> names;
  for (const CompletedOption& option : options)
    names.insert(names.end(), option.names.begin(), option.names.end());
  return absl::StrJoin(names, " ");
}

// Every option that takes a value: the word behind it is no command.
std::string ValueOptions(const std::vector<CompletedCommand>& tree, const char* separator) {
  std::set<std::string> names;
  for (const CompletedCommand& command : tree) {
    for (const CompletedOption& option : command.options) {
      if (option.takes_value) names.insert(option.names.begin(), option.names.end());
    }
  }
  return absl::StrJoin(names, separator);
}

// Sets what fits behind the command hc_path: words of commands, options, and values behind hc_previous. Bash
// and zsh both read it; zsh has meanings of its own for many plain names.
std::string Branches(const std::vector<CompletedCommand>& tree) {
  std::string text = "  case \"$hc_path\" in\n";
  for (const CompletedCommand& command : tree) {
    const std::vector<CompletedOption> options = AllOptions(command, tree.front());
    text += Concat("    '", command.path, "')\n      hc_words='", absl::StrJoin(command.words, " "), "'\n",
                   "      hc_options='", NamesOf(options), "'\n");
    std::string values;
    for (const CompletedOption& option : options) {
      if (!option.takes_value) continue;
      const std::string what = option.is_file ? "hc_values='' hc_files=1"
                                              : Concat("hc_values='", absl::StrJoin(option.values, " "), "'");
      values += Concat("        ", absl::StrJoin(option.names, "|"), ") ", what, " hc_value=1 ;;\n");
    }
    if (!values.empty()) text += Concat("      case \"$hc_previous\" in\n", values, "      esac\n");
    text += "      ;;\n";
  }
  return text + "  esac\n";
}

// "deliveries list" is a command below "deliveries".
std::string HasBranches(const std::vector<CompletedCommand>& tree) {
  std::string text = "  case \"$1 $2\" in\n";
  for (const CompletedCommand& command : tree) {
    for (const std::string& word : command.words) {
      text += Concat("    '", command.path, " ", word, "') return 0 ;;\n");
    }
  }
  return text + "  esac\n  return 1\n";
}

}  // namespace

std::string BashCompletion(const std::vector<CompletedCommand>& tree) {
  return Concat(R"(# bash completion for hookctl, made by: hookctl completion bash
_hookctl() {
  local hc_path='' hc_words='' hc_options='' hc_values='' hc_files='' hc_value='' hc_previous='' word skip='' i
  local current="${COMP_WORDS[COMP_CWORD]}"
  ((COMP_CWORD > 0)) && hc_previous="${COMP_WORDS[COMP_CWORD-1]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "$word" in
      )",
                ValueOptions(tree, "|"), R"() skip=1 ;;
      -*) ;;
      *) _hookctl_has "$hc_path" "$word" && hc_path="${hc_path:+$hc_path }$word" ;;
    esac
  done
)",
                Branches(tree), R"(  COMPREPLY=()
  if [[ -n $hc_files ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ -n $hc_value ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$hc_values" -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$hc_options" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$hc_words" -- "$current")
  fi
}
_hookctl_has() {
)",
                HasBranches(tree), "}\ncomplete -o filenames -F _hookctl hookctl\n");
}

std::string ZshCompletion(const std::vector<CompletedCommand>& tree) {
  return Concat(R"(#compdef hookctl
# zsh completion for hookctl, made by: hookctl completion zsh
_hookctl() {
  local hc_path='' hc_words='' hc_options='' hc_values='' hc_files='' hc_value='' hc_previous='' word skip=''
  local -i i
  hc_previous="${words[CURRENT-1]}"
  for ((i = 2; i < CURRENT; i++)); do
    word="${words[i]}"
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "$word" in
      )",
                ValueOptions(tree, "|"), R"() skip=1 ;;
      -*) ;;
      *) _hookctl_has "$hc_path" "$word" && hc_path="${hc_path:+$hc_path }$word" ;;
    esac
  done
)",
                Branches(tree), R"(  if [[ -n $hc_files ]]; then
    _files
  elif [[ -n $hc_value ]]; then
    compadd -- ${=hc_values}
  elif [[ $words[CURRENT] == -* ]]; then
    compadd -- ${=hc_options}
  else
    compadd -- ${=hc_words}
  fi
}
_hookctl_has() {
)",
                HasBranches(tree), "}\nif [[ $funcstack[1] == _hookctl ]]; then\n  _hookctl \"$@\"\nelse\n",
                "  compdef _hookctl hookctl\nfi\n");
}

std::string FishCompletion(const std::vector<CompletedCommand>& tree) {
  std::set<std::string> paths;
  for (const CompletedCommand& command : tree) {
    if (!command.path.empty()) paths.insert(SingleQuoted(command.path));
  }
  std::string text = Concat(R"(# fish completion for hookctl, made by: hookctl completion fish
function __hookctl_at
  set -l at ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case )",
                            ValueOptions(tree, " "), R"(
        set skip 1
      case '-*'
      case '*'
        set -l next (string trim -- "$at $word")
        if contains -- $next )",
                            absl::StrJoin(paths, " "), R"(
          set at $next
        end
    end
  end
  test "$at" = "$argv[1]"
end
complete -c hookctl -f
)");
  for (const CompletedCommand& command : tree) {
    const std::string at =
        Concat("complete -c hookctl -n ", SingleQuoted(Concat("__hookctl_at ", SingleQuoted(command.path))));
    if (!command.words.empty())
      text += Concat(at, " -a ", SingleQuoted(absl::StrJoin(command.words, " ")), "\n");
    for (const CompletedOption& option : AllOptions(command, tree.front())) {
      text += at;
      for (const std::string& name : option.names) {
        text += absl::StartsWith(name, "--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) text += option.is_file ? " -r -F" : " -x";
      if (!option.values.empty()) text += Concat(" -a ", SingleQuoted(absl::StrJoin(option.values, " ")));
      text += Concat(" -d ", SingleQuoted(option.help), "\n");
    }
  }
  return text;
}

}  // namespace hookd::cli
