// What hookd tells the supervisor that started it: systemd's notification protocol, a datagram to the socket
// in NOTIFY_SOCKET. Written here, not taken from libsystemd: it is one sendto, and a container needs no
// further library for it.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace hookd {

// Without NOTIFY_SOCKET nothing is told to anybody. What cannot be sent is lost: the supervisor then does
// what it does with a service that is silent.
class Supervisor {
 public:
  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which it removes: they are not for children.
  Supervisor();
  // Ends the watchdog.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // hookd takes traffic. From now on, if the supervisor watches, it hears from us while `alive` says so;
  // `alive` is asked on a thread of its own, at half of the interval that is watched.
  void Ready(std::string_view status, std::function<bool()> alive);
  // Hears of the stop; the watchdog goes on until the destructor, and needs `alive` no more.
  void Stopping();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hookd
