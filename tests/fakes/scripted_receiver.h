// A receiver that keeps to no protocol: each connection is handed to a script that writes what bytes it
// likes, when it likes. One thread per connection.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hookd::testing {

// One connection, for its script. Every call returns at once when the receiver goes, and then the script
// should too.
class ScriptedPeer {
 public:
  ScriptedPeer(int fd, const std::atomic<bool>& ending) : fd_(fd), ending_(ending) {}
  ~ScriptedPeer();
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  // False: the other side is gone.
  bool Write(std::string_view bytes);
  // Byte by byte, so far apart; false as above.
  bool Trickle(std::string_view bytes, std::chrono::milliseconds between);
  // Again and again until the other side is gone.
  void WriteForever(std::string_view bytes);
  // Until `end` has come; what came so far is returned, also when the other side leaves.
  std::string ReadUntil(std::string_view end);
  // The head of a request and as much of its body as Content-Length says.
  std::string ReadRequest();
  // Reads nothing and says nothing until the other side is gone. What it sent stays in the kernel.
  void Idle();
  // Reads, and says nothing, until the other side is gone.
  void Drain();
  // No more is written; the other direction stays open.
  void HalfClose();
  // Closes with RST.
  void Reset();
  // The socket, to be used by something that speaks TLS.
  int fd() const { return fd_; }
  bool WaitReadable();

 private:
  bool Wait(short events, std::chrono::milliseconds at_most);

  int fd_;
  const std::atomic<bool>& ending_;
};

class ScriptedReceiver {
 public:
  using Script = std::function<void(ScriptedPeer&)>;

  explicit ScriptedReceiver(Script script);
  // Ends every connection.
  ~ScriptedReceiver();
  ScriptedReceiver(const ScriptedReceiver&) = delete;
  ScriptedReceiver& operator=(const ScriptedReceiver&) = delete;

  uint16_t port() const { return port_; }
  // scheme://127.0.0.1:PORT/
  std::string Url(const std::string& scheme = "http") const;
  size_t connection_count() const { return connections_; }

 private:
  void Accept();

  const Script script_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<size_t> connections_{0};
  std::mutex mutex_;
  std::vector<std::thread> scripts_;  // mutex_
  std::thread accepting_;
};

}  // namespace hookd::testing
