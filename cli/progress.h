// A line that says how far something is, on standard error.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/clock.h"

namespace hookd::cli {

// "[#######.............]  35 %": of `whole`, which is not 0. More than all of it is all of it.
std::string BarText(uint64_t done, uint64_t whole);
// "1,234/s, 39s left"; without what cannot be told.
std::string PaceText(uint64_t done, uint64_t whole, Duration elapsed);

// --progress, which shows it without a terminal too.
void AddProgress(CLI::App& command, bool& progress);

// Thread-safe.
class Progress {
 public:
  // Shown on a terminal, in place; elsewhere only if `wanted`, a line each second. `clock` outlives it.
  Progress(bool wanted, const Clock& clock);
  ~Progress() { End(); }

  // True when it is time for another Show.
  bool Due();
  void Show(const std::string& text);
  // A line of its own, which stays.
  void Say(const std::string& line);
  // Takes the line away, on a terminal; also when it goes.
  void End();
  Duration Elapsed() const { return clock_.Steady() - begin_; }

 private:
  void Clear();

  const bool in_place_;
  const bool shown_;
  const Clock& clock_;
  const SteadyTime begin_;
  std::mutex mutex_;
  std::optional<SteadyTime> last_;  // guarded by mutex_
  bool there_ = false;              // guarded by mutex_: there is a line to take away
};

}  // namespace hookd::cli
