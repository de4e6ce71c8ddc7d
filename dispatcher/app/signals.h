// SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once with 130.
// SIGHUP asks to read the configuration again.
#pragma once

#include <functional>
#include <memory>

namespace hookd {

// Made before anything that takes time, so that no signal is missed. One per process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Returns after the first signal to stop; until then runs `reload` here after each SIGHUP. Several that
  // come while it runs are one.
  void WaitForStop(const std::function<void()>& reload);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
