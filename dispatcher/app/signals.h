// SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once with 130.
#pragma once

#include <memory>

namespace hookd {

// Made before anything that takes time, so that no signal is missed. One per process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Returns after the first signal.
  void WaitForStop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
