#include "cli/confirm.h"

#include <iostream>

#include <absl/strings/ascii.h>

#include "base/concat.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace hookd::cli {

void AddYes(CLI::App& command, bool& yes) { command.add_flag("--yes,-y", yes, "do not ask"); }

bool CanConfirm(Session& session, bool yes, const std::string& what) {
  if (yes || (InputIsTerminal() && ErrorIsTerminal())) return true;
  session.UsageError(Concat("give --yes to ", Printable(what), ": there is no terminal to ask on"));
  return false;
}

bool Confirm(Session& session, bool yes, const std::string& what) {
  if (!CanConfirm(session, yes, what)) return false;
  if (yes) return true;
  std::string question = Printable(what);
  question[0] = absl::ascii_toupper(static_cast<unsigned char>(question[0]));
  std::cerr << question << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  answer = absl::AsciiStrToLower(std::string(absl::StripAsciiWhitespace(answer)));
  if (answer == "y" || answer == "yes") return true;
  std::cerr << "hookctl: nothing was changed\n";
  session.exit_code = kExitDeclined;
  return false;
}

}  // namespace hookd::cli
