// hookctl: hookd's command line.
// Exit codes: 0 ok; 1 the server refused; 2 bad usage; 3 the server did not answer; 4 hookctl itself failed.
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/session.h"

namespace hookd::cli {
namespace {

int Run(int argc, char** argv) {
  Session session;
  std::string output = "table";
  CLI::App app("hookctl: works with a hookd server");
  app.add_option("--server", session.server, "HOST:PORT")->envname("HOOKD_SERVER")->capture_default_str();
  app.add_option("--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->each([&session](const std::string& value) { session.json = value == "json"; });
  app.add_option("--deadline", session.timeout_seconds, "seconds that one call may take")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.set_version_flag("--version", "hookctl " HOOKD_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  AddSubscriberCommands(app, session);
  AddEndpointCommands(app, session);
  AddDeliveryCommands(app, session);
  AddEventCommands(app, session);
  AddOperationsCommands(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return session.exit_code;
}

int Main(int argc, char** argv) {
  int code = kExitFailed;
  try {
    code = Run(argc, argv);
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
