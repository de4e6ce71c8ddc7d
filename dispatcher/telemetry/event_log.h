// The structured log: one JSON object per line, written by a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "dispatcher/telemetry/json_line.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

// Lines that wait to be written. When full the oldest is dropped and counted: the log never holds up sending.
inline constexpr size_t kLogQueueLines = 8192;

// Thread-safe. The destructor writes out what is queued.
class EventLog {
 public:
  enum class Level { kTrace, kDebug, kInfo, kWarn, kError };

  // `level`: trace, debug, info, warn, error. `file` is appended to; empty, or one that cannot be opened =
  // standard error.
  EventLog(const std::string& level, const std::string& file);
  ~EventLog();

  // Another level, and the file opened anew under its name: it may have been rotated. False: it cannot be
  // opened, and what was open goes on.
  bool Reopen(const std::string& level);

  bool Enabled(Level level) const;
  void Write(Level level, std::string_view event, const JsonLine& fields);
  // At level error, past the queue: written when it returns, or given up when the file takes nothing for a
  // second. What is queued stays queued.
  void WriteNow(std::string_view event, const JsonLine& fields);
  // Every field but the response body, at level info.
  void WriteAttempt(const AttemptEvent& event);

  // Lines that were dropped because the queue was full.
  uint64_t dropped() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
