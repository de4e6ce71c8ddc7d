// hookctl: hookd's command line. Exit codes: see session.h, and docs/hookctl.md.
#include <exception>
#include <iostream>

#include "cli/hookctl.h"
#include "cli/session.h"

namespace hookd::cli {
namespace {

int Main(int argc, char** argv) {
  int code = kExitFailed;
  try {
    code = RunHookctl(argc, argv, HOOKD_VERSION);
  } catch (const std::exception& error) {
    std::cerr << "hookctl: internal error: " << error.what() << "\n";
  }
  if (std::cout.flush()) return code;
  std::cerr << "hookctl: cannot write to standard output\n";
  return code == kExitOk ? kExitFailed : code;
}

}  // namespace
}  // namespace hookd::cli

int main(int argc, char** argv) { return hookd::cli::Main(argc, argv); }
