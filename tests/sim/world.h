// Days of a hookd's life out of one number: endpoints of every policy, receivers with a weather of their own,
// people who steer, kills at any moment, and a clock that jumps. A ledger outside of hookd remembers what was
// acknowledged and what arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hookd::sim {

struct Options {
  uint64_t seed = 1;
  int days = 2;
  // For the judges' own test: in the end, the newest acknowledged publish is taken out of the store.
  bool forget_last_publish = false;
};

struct Verdict {
  std::vector<std::string> faults;  // the first few promises that were broken; empty = none
  size_t events = 0;                // acknowledged
  size_t deliveries = 0;
  size_t attempts = 0;
  size_t kills = 0;
  size_t repeated = 0;       // deliveries that arrived again, as their success was lost in a kill
  uint64_t fingerprint = 0;  // of all attempts: what was sent when
};

// Ends when everything has been delivered or has ended otherwise. Thread-compatible; no threads, no real
// time.
Verdict Live(const Options& options);

}  // namespace hookd::sim
