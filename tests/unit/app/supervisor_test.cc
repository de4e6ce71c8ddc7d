#include "dispatcher/app/supervisor.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace hookd {
namespace {

constexpr int kPatienceMs = 20'000;

// The supervisor's end of the socket.
class SupervisorTest : public ::testing::Test {
 protected:
  ~SupervisorTest() override {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(variable);
    if (socket_ >= 0) close(socket_);
    if (!path_.empty() && path_.front() != '@') unlink(path_.c_str());
  }

  void Listen(const std::string& path) {
    path_ = path;
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    ASSERT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0) << std::strerror(errno);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }

  std::string Next(int timeout_ms = kPatienceMs) {
    pollfd ready{socket_, POLLIN, 0};
    if (poll(&ready, 1, timeout_ms) != 1) return "";
    std::array<char, 512> message{};
    const ssize_t got = recv(socket_, message.data(), message.size(), 0);
    return {message.data(), static_cast<size_t>(got)};
  }

  static std::string Unique(const std::string& prefix) { return prefix + std::to_string(getpid()); }

  std::string path_;
  int socket_ = -1;
};

TEST_F(SupervisorTest, TellsOfReadyAndStopping) {
  Listen(Unique((std::filesystem::temp_directory_path() / "hookd-notify-").string()));
  Supervisor supervisor;
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  supervisor.Ready("grpc 127.0.0.1:7070", [] { return true; });
  EXPECT_EQ(Next(), "READY=1\nSTATUS=grpc 127.0.0.1:7070");
  supervisor.Stopping();
  EXPECT_EQ(Next().substr(0, 11), "STOPPING=1\n");  // no watchdog was asked for
}

TEST_F(SupervisorTest, AnAddressMayHaveNoFile) {
  Listen(Unique("@hookd-notify-"));
  Supervisor supervisor;
  supervisor.Ready("", [] { return true; });
  EXPECT_EQ(Next(), "READY=1\nSTATUS=");
}

TEST_F(SupervisorTest, TheWatchdogHearsOfItWhileItLives) {
  Listen(Unique("@hookd-notify-"));
  setenv("WATCHDOG_USEC", "20000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  Supervisor supervisor;
  std::atomic<bool> alive{true};
  std::atomic<int> asked{0};
  supervisor.Ready("", [&] {
    ++asked;
    return alive.load();
  });
  EXPECT_EQ(Next(), "READY=1\nSTATUS=");
  EXPECT_EQ(Next(), "WATCHDOG=1");
  EXPECT_EQ(Next(), "WATCHDOG=1");
  alive = false;
  for (const int seen = asked; asked < seen + 3;) {  // by then the last true one is sent
  }
  while (!Next(0).empty()) {
  }
  for (const int seen = asked; asked < seen + 3;) {
  }
  EXPECT_EQ(Next(0), "");
  supervisor.Stopping();  // a stop takes its time
  EXPECT_EQ(Next().substr(0, 11), "STOPPING=1\n");
  EXPECT_EQ(Next(), "WATCHDOG=1");
}

TEST_F(SupervisorTest, AnotherProcessIsWatched) {
  Listen(Unique("@hookd-notify-"));
  setenv("WATCHDOG_USEC", "20000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  Supervisor supervisor;
  supervisor.Ready("", []() -> bool {
    ADD_FAILURE() << "nobody watches";
    return false;
  });
  EXPECT_EQ(Next(), "READY=1\nSTATUS=");
}

TEST_F(SupervisorTest, WithoutASupervisorNothingHappens) {
  Supervisor supervisor;
  supervisor.Ready("", [] { return true; });
  supervisor.Stopping();
}

}  // namespace
}  // namespace hookd
