// libcurl multi handles on an io_context. Their sockets live in one epoll set, which the io_context watches
// as one descriptor; their timeouts share one timer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>

#include "base/clock.h"
#include "dispatcher/transport/curl_handles.h"
#include "dispatcher/transport/receive_guard.h"

namespace hookd {

// Thread: the io_context's. Add and Remove may be called from `done`, never from a callback of libcurl.
class MultiLoop {
 public:
  // `easy` has been removed from its multi. Runs from the io_context, never inside Add.
  using Done = std::function<void(CURL* easy, CURLcode result)>;

  // Of the first `strict_multis` no connection is used again once its peer has said what nobody asked for.
  MultiLoop(boost::asio::io_context& io, const Clock& clock, size_t multis, size_t strict_multis,
            size_t connections_per_multi, Done done);
  // Transfers must have been removed.
  ~MultiLoop();
  MultiLoop(const MultiLoop&) = delete;
  MultiLoop& operator=(const MultiLoop&) = delete;

  size_t multis() const { return multis_.size(); }
  // False: out of memory.
  bool Add(size_t multi, CURL* easy);
  // To be told of each socket that libcurl opens, when it does: the number may have belonged to another, and
  // libcurl does not always say when it closes one.
  void Opened(curl_socket_t socket);
  // Ends a transfer without `done`; its connection is closed unless the transfer was complete.
  void Remove(size_t multi, CURL* easy);

 private:
  struct Multi {
    MultiLoop* loop = nullptr;
    uint32_t index = 0;
    SteadyTime due = SteadyTime::max();  // when libcurl wants to be called
    bool touched = false;                // may have messages
    MultiHandle handle;
  };

  // One socket in the epoll set. libcurl lets go of a kept connection's socket after each exchange and comes
  // back for the next; it stays in the set meanwhile, which saves two system calls for each request.
  struct Watch {
    uint32_t events = 0;  // registered for; 0 = not in the set
    uint32_t multi = 0;
    bool wanted = false;  // by a transfer; what comes to the others is nobody's, and they leave the set
  };

  static int OnClose(void* loop, curl_socket_t socket);
  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* multi, void* known);
  Watch& WatchOf(curl_socket_t socket);
  void Register(curl_socket_t socket, Watch& watch, uint32_t events);
  void Unregister(curl_socket_t socket, Watch& watch);
  static int OnTimer(CURLM* handle, long timeout_ms, void* multi);
  void WaitReadable();
  void HandleSockets();
  static void Discard(curl_socket_t socket);
  void HandleDue();
  void Act(Multi& multi, curl_socket_t socket, int what);
  void Report();
  void Schedule();
  void Pass();

  boost::asio::io_context& io_;
  const Clock& clock_;
  const Done done_;
  const size_t strict_multis_;
  int epoll_;
  boost::asio::posix::stream_descriptor epoll_watch_;  // owns epoll_
  boost::asio::steady_timer timer_;
  SteadyTime timer_at_ = SteadyTime::max();  // it may fire early and find nothing due: cheaper than moving it
  bool in_pass_ = false;
  bool kicked_ = false;  // a Pass is posted
  ReceiveGuard guard_;
  std::vector<Multi> multis_;                              // never resized: libcurl holds pointers
  std::vector<Watch> watches_;                             // by descriptor, so bounded by their limit
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // handlers may outlive this object
};

}  // namespace hookd
