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
void AddCaptureCommands(CLI::App& app, Session& session);
void AddJobCommands(CLI::App& app, Session& session);
void AddApplyCommand(CLI::App& app, Session& session);
void AddProfileCommands(CLI::App& app, Session& session);
void AddOperationsCommands(CLI::App& app, Session& session);
void AddEgressCommands(CLI::App& app, Session& session);
void AddTokenCommands(CLI::App& app, Session& session);
void AddSecretCommands(CLI::App& app, Session& session);
void AddBackupCommands(CLI::App& app, Session& session);
void AddAuditCommands(CLI::App& app, Session& session);
void AddConfigCommands(CLI::App& app, Session& session);
// Of all commands that `app` has by the time it runs.
void AddCompletionCommand(CLI::App& app);

// Parts of a noun that have a file of their own.
void AddBulkCommands(CLI::App& endpoints, Session& session);
void AddStatisticsCommand(CLI::App& noun, Session& session, bool of_subscriber);
void AddTopCommand(CLI::App& endpoints, Session& session);
void AddRotateCommand(CLI::App& endpoints, Session& session);
void AddTestCommand(CLI::App& endpoints, Session& session);
void AddVerifyCommand(CLI::App& endpoints, Session& session);
void AddWatchCommand(CLI::App& deliveries, Session& session);
void AddEventReads(CLI::App& events, Session& session);

}  // namespace hookd::cli
