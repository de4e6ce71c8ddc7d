// Asks before what destroys.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace hookd::cli {

// --yes, which takes the question as answered.
void AddYes(CLI::App& command, bool& yes);

// False: there is nobody to ask and no --yes; `session` has said so. For what looks at something before it
// asks. `what` is such as "delete subscriber acme".
bool CanConfirm(Session& session, bool yes, const std::string& what);

// Asks "`What`?" on standard error, unless `yes`. False: the answer was no, or there is nobody to ask.
bool Confirm(Session& session, bool yes, const std::string& what);

}  // namespace hookd::cli
