// hookctl as a function.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace hookd::cli {

// Runs one command line and returns its exit code; see session.h. `version` is hookctl's.
int RunHookctl(int argc, const char* const* argv, const std::string& version);

}  // namespace hookd::cli
