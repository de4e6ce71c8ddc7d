#include "dispatcher/transport/multi_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/check.h"
#include "base/model.h"

namespace hookd {
namespace {

constexpr size_t kEventsPerPass = 256;

int CurlMask(uint32_t events) {
  int mask = 0;
  if (events & EPOLLIN) mask |= CURL_CSELECT_IN;
  if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
  if (events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
  return mask;
}

}  // namespace

MultiLoop::MultiLoop(boost::asio::io_context& io, const Clock& clock, size_t multis, size_t strict_multis,
                     size_t connections_per_multi, Done done)
    : io_(io),
      clock_(clock),
      done_(std::move(done)),
      strict_multis_(strict_multis),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      epoll_watch_(io),
      timer_(io),
      multis_(multis) {
  HOOKD_CHECK(epoll_ >= 0, "no descriptor left for the transport's epoll set");
  boost::system::error_code error;
  epoll_watch_.assign(epoll_, error);
  HOOKD_CHECK(!error, "the transport's epoll set cannot be watched");
  for (size_t i = 0; i < multis_.size(); ++i) {
    Multi& multi = multis_[i];
    multi.loop = this;
    multi.index = static_cast<uint32_t>(i);
    multi.handle.reset(curl_multi_init());
    HOOKD_CHECK(multi.handle != nullptr, "out of memory or descriptors");
    CURLM* handle = multi.handle.get();
    curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, &MultiLoop::OnSocket);
    curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, &multi);
    curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, &MultiLoop::OnTimer);
    curl_multi_setopt(handle, CURLMOPT_TIMERDATA, &multi);
    curl_multi_setopt(handle, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_per_multi));
  }
  WaitReadable();
}

MultiLoop::~MultiLoop() {
  // Closing cached connections calls OnSocket and OnTimer: while everything is still here.
  for (Multi& multi : multis_) multi.handle.reset();
}

bool MultiLoop::Add(size_t multi, CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &MultiLoop::OnClose);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  if (curl_multi_add_handle(multis_[multi].handle.get(), easy) != CURLM_OK) return false;
  if (!in_pass_) Schedule();
  return true;
}

void MultiLoop::Remove(size_t multi, CURL* easy) {
  CURLMcode code = curl_multi_remove_handle(multis_[multi].handle.get(), easy);
  HOOKD_CHECK(code == CURLM_OK, "Remove: not inside libcurl's callbacks");
  if (!in_pass_) Schedule();
}

MultiLoop::Watch& MultiLoop::WatchOf(curl_socket_t socket) {
  auto index = static_cast<size_t>(socket);
  if (index >= watches_.size()) watches_.resize(index + 1);
  return watches_[index];
}

// The kernel has taken a closed socket of that number out of the set.
void MultiLoop::Opened(curl_socket_t socket) { WatchOf(socket) = Watch{}; }

void MultiLoop::Register(curl_socket_t socket, Watch& watch, uint32_t events) {
  if (watch.events == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  int operation = watch.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_, operation, socket, &event) != 0) {
    operation = errno == EEXIST ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(epoll_, operation, socket, &event) != 0) events = 0;  // the transfer runs into its timeout
  }
  watch.events = events;
}

void MultiLoop::Unregister(curl_socket_t socket, Watch& watch) {
  if (watch.events != 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);  // may be closed already
  watch.events = 0;
}

// The guard's thread must not meet another's socket under this number.
int MultiLoop::OnClose(void* loop, curl_socket_t socket) {
  static_cast<MultiLoop*>(loop)->guard_.End(socket);
  return close(socket);
}

int MultiLoop::OnSocket(CURL* /*easy*/, curl_socket_t socket, int what, void* multi_ptr, void* /*known*/) {
  auto& multi = *static_cast<Multi*>(multi_ptr);
  MultiLoop& loop = *multi.loop;
  Watch& watch = loop.WatchOf(socket);
  const bool was_wanted = std::exchange(watch.wanted, what != CURL_POLL_REMOVE);
  if (watch.wanted && !was_wanted) loop.guard_.Begin(socket);
  if (!watch.wanted && was_wanted) loop.guard_.Rest(socket);
  watch.multi = multi.index;
  if (!watch.wanted) {
    // An idle socket is always writable; what it says is looked at, see Discard.
    if (multi.index < loop.strict_multis_) {
      loop.Register(socket, watch, EPOLLIN);
    } else if (watch.events != EPOLLIN) {
      loop.Unregister(socket, watch);
    }
    return 0;
  }
  uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  loop.Register(socket, watch, events);
  return 0;
}

int MultiLoop::OnTimer(CURLM* /*handle*/, long timeout_ms, void* multi_ptr) {
  auto& multi = *static_cast<Multi*>(multi_ptr);
  multi.due = timeout_ms < 0 ? SteadyTime::max() : multi.loop->clock_.Steady() + Millis(timeout_ms);
  return 0;
}

void MultiLoop::WaitReadable() {
  epoll_watch_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
                            if (alive.expired() || error) return;
                            Pass();
                            WaitReadable();
                          });
}

// Of a connection that no transfer has: the peer closed it, or said what nobody asked for, which would be
// taken for the next request's answer. libcurl looks whether it is closed before it uses it.
void MultiLoop::Discard(curl_socket_t socket) {
  std::array<char, 4096> unasked;
  if (recv(socket, unasked.data(), unasked.size(), MSG_DONTWAIT) > 0) shutdown(socket, SHUT_RDWR);
}

void MultiLoop::HandleSockets() {
  std::array<epoll_event, kEventsPerPass> events;
  int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    curl_socket_t socket = events[i].data.fd;
    Watch& watch = WatchOf(socket);
    if (!watch.wanted) {
      Unregister(socket, watch);
      // An HTTP/2 connection has frames of its own, and its answers have numbers.
      if (watch.multi < strict_multis_) Discard(socket);
      continue;
    }
    Multi& multi = multis_[watch.multi];
    Act(multi, socket, CurlMask(events[i].events));
  }
}

void MultiLoop::Act(Multi& multi, curl_socket_t socket, int what) {
  guard_.Enter(socket);
  int running = 0;
  curl_multi_socket_action(multi.handle.get(), socket, what, &running);
  guard_.Leave();
  multi.touched = true;
}

void MultiLoop::HandleDue() {
  SteadyTime now = clock_.Steady();
  for (Multi& multi : multis_) {
    if (multi.due > now) continue;
    multi.due = SteadyTime::max();  // a call for CURL_SOCKET_TIMEOUT always states the next one
    Act(multi, CURL_SOCKET_TIMEOUT, 0);
  }
}

void MultiLoop::Report() {
  for (Multi& multi : multis_) {
    if (!std::exchange(multi.touched, false)) continue;
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi.handle.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      CURLcode result = message->data.result;
      curl_multi_remove_handle(multi.handle.get(), easy);  // ends the message's life
      done_(easy, result);
    }
  }
}

void MultiLoop::Schedule() {
  SteadyTime earliest = SteadyTime::max();
  for (const Multi& multi : multis_) earliest = std::min(earliest, multi.due);
  if (earliest == SteadyTime::max() || kicked_) return;
  SteadyTime now = clock_.Steady();
  if (earliest <= now) {
    kicked_ = true;
    boost::asio::post(io_, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      kicked_ = false;
      Pass();
    });
    return;
  }
  if (timer_at_ <= earliest) return;
  timer_at_ = earliest;
  timer_.expires_after(earliest - now);
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (alive.expired() || error) return;
    timer_at_ = SteadyTime::max();
    Pass();
  });
}

void MultiLoop::Pass() {
  in_pass_ = true;
  // Before new transfers begin: what lies on an idle connection by now is none of their answers.
  HandleSockets();
  HandleDue();
  Report();
  in_pass_ = false;
  Schedule();
}

}  // namespace hookd
