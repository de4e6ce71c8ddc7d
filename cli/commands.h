// The commands, by noun. Each adds its subcommands to `app`; what runs sets `session.exit_code`. `session`
// outlives the parsing.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace hookd::cli {

void AddSubscriberCommands(CLI::App& app, Session& session);
void AddEndpointCommands(CLI::App& app, Session& session);
void AddDeliveryCommands(CLI::App& app, Session& session);
void AddEventCommands(CLI::App& app, Session& session);
void AddOperationsCommands(CLI::App& app, Session& session);

}  // namespace hookd::cli
