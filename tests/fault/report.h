// A harness's figures, as one JSON object in the file that HOOKD_REPORT names.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace hookd::fault {

// `fallback` unless the environment has a number under `name`.
uint64_t FromEnvironment(const char* name, uint64_t fallback);

class Report {
 public:
  explicit Report(std::string name) : name_(std::move(name)), begun_(RealClock().Steady()) {}
  void Add(const std::string& key, uint64_t value);
  // Once in a process.
  void Write(uint64_t tried, uint64_t found) const;

 private:
  const std::string name_;
  const SteadyTime begun_;
  std::vector<std::pair<std::string, uint64_t>> counts_;
};

}  // namespace hookd::fault
