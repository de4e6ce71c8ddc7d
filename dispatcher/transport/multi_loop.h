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

namespace hookd {

// Thread: the io_context's. Add and Remove may be called from `done`, never from a callback of libcurl.
class MultiLoop {
 public:
  // `easy` has been removed from its multi. Runs from the io_context, never inside Add.
  using Done = std::function<void(CURL* easy, CURLcode result)>;

  MultiLoop(boost::asio::io_context& io, const Clock& clock, size_t multis, size_t connections_per_multi,
            Done done);
  // Transfers must have been removed.
  ~MultiLoop();
  MultiLoop(const MultiLoop&) = delete;
  MultiLoop& operator=(const MultiLoop&) = delete;

  size_t multis() const { return multis_.size(); }
  // False: out of memory.
  bool Add(size_t multi, CURL* easy);
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

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* multi, void* known);
  static int OnTimer(CURLM* handle, long timeout_ms, void* multi);
  void WaitReadable();
  void HandleSockets();
  void HandleDue();
  void Report();
  void Schedule();
  void Pass(bool readable);

  boost::asio::io_context& io_;
  const Clock& clock_;
  const Done done_;
  int epoll_;
  boost::asio::posix::stream_descriptor epoll_watch_;  // owns epoll_
  boost::asio::steady_timer timer_;
  SteadyTime timer_at_ = SteadyTime::max();  // it may fire early and find nothing due: cheaper than moving it
  bool in_pass_ = false;
  bool kicked_ = false;                                    // a Pass is posted
  std::vector<Multi> multis_;                              // never resized: libcurl holds pointers
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // handlers may outlive this object
};

}  // namespace hookd
