// Publishes a file of events, as lines of JSON.
#pragma once

#include <string>

#include "cli/session.h"

namespace hookd::cli {

// `file` "-" = standard input. `retry_for` is such as "30s". Tells what is refused, and prints a summary.
void PublishFile(Session& session, const std::string& file, const std::string& retry_for, bool progress);

}  // namespace hookd::cli
