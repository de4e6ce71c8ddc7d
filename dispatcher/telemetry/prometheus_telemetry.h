// The Telemetry that production runs with: prometheus-cpp for the metrics, spdlog for the log.
#pragma once

#include <memory>
#include <string>

#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

struct TelemetryOptions {
  std::string log_level = "info";  // trace, debug, info, warn, error
  std::string log_file;            // appended to; empty = standard error
};

// Throws nothing. A log file that cannot be opened is reported on standard error, which then takes the log.
// The destructor writes out what the log's queue holds.
std::unique_ptr<Telemetry> MakeTelemetry(const TelemetryOptions& options);

}  // namespace hookd
