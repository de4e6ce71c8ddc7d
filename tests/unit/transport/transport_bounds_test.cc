// What a slow or endless receiver costs: time and bytes have bounds, and a verdict that has fallen stands.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

using Then = ReceiverAnswer::Then;
using TransportBoundsTest = TransportFixture;

ReceiverAnswer Endless(std::string begin, std::string endless) {
  ReceiverAnswer answer = ReceiverAnswer::Raw(std::move(begin), Then::kHang);
  answer.endless = std::move(endless);
  return answer;
}

// Listens, but never accepts: the kernel takes connections until the backlog is full, then ignores them.
class DeafListener {
 public:
  explicit DeafListener(int backlog) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(bind(fd_, Address(), size), 0);
    EXPECT_EQ(listen(fd_, backlog), 0);
    EXPECT_EQ(getsockname(fd_, Address(), &size), 0);
  }
  ~DeafListener() {
    for (int fd : fillers_) close(fd);
    close(fd_);
  }

  void Fill() {
    for (int i = 0; i < 4; ++i) {
      int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(fd, Address(), sizeof(address_));
      fillers_.push_back(fd);
    }
  }

  std::string Url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)) + "/";
  }

 private:
  sockaddr* Address() { return reinterpret_cast<sockaddr*>(&address_); }

  int fd_;
  sockaddr_in address_{};
  std::vector<int> fillers_;
};

TEST_F(TransportBoundsTest, ConnectThatHangsIsATimeout) {
  DeafListener listener(0);
  listener.Fill();
  HttpResult result = Post(listener.Url("http"), Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kTimeout);
  EXPECT_EQ(result.error_detail, "no connection within the timeout");
  EXPECT_EQ(result.remote_address, "");
  EXPECT_LT(result.us.total, 2'000'000);
}

TEST_F(TransportBoundsTest, TlsThatHangsIsATimeout) {
  DeafListener listener(16);
  HttpResult result = Post(listener.Url("https"), Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kTimeout);
  EXPECT_EQ(result.error_detail, "TLS handshake not finished within the timeout");
  EXPECT_NE(result.remote_address, "");
}

TEST_F(TransportBoundsTest, SilenceIsATimeout) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Raw("", Then::kHang); });
  HttpResult result = Post(receiver.Url(), Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kTimeout);
  EXPECT_EQ(result.error_detail, "no complete response headers within the timeout");
  EXPECT_NE(result.remote_address, "");
  EXPECT_GE(result.us.total, 299'000);
  EXPECT_LT(result.us.total, 2'000'000);
}

TEST_F(TransportBoundsTest, HeadersThatStallAreATimeout) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Then::kHang);
  });
  HttpResult result = Post(receiver.Url(), Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kTimeout);
  EXPECT_EQ(result.status, 0);
}

TEST_F(TransportBoundsTest, HeadersThatTrickleAreATimeout) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    ReceiverAnswer answer =
        ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Then::kKeepAlive);
    answer.delay = std::chrono::milliseconds(1'000);
    return answer;
  });
  EXPECT_EQ(Post(receiver.Url(), Millis(300)).error, ErrorKind::kTimeout);
  EXPECT_EQ(Post(receiver.Url(), Millis(8'000)).error, ErrorKind::kNone);
}

TEST_F(TransportBoundsTest, EndlessHeadersAreTooBig) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return Endless("HTTP/1.1 200 OK\r\n", "X-Filler: " + std::string(1'000, 'a') + "\r\n");
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.error, ErrorKind::kResponseTooBig);
  EXPECT_EQ(result.error_detail, "response headers over 65536 bytes");
}

TEST_F(TransportBoundsTest, AnEndlessHeaderLineIsTooBig) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return Endless("HTTP/1.1 200 OK\r\nX-Filler: ", std::string(4'000, 'a'));
  });
  EXPECT_EQ(Post(receiver.Url()).error, ErrorKind::kResponseTooBig);
}

TEST_F(TransportBoundsTest, EndlessInterimAnswersAreTooBig) {
  HttpReceiver receiver(
      [](const ReceivedRequest&) { return Endless("", "HTTP/1.1 103 Early Hints\r\n\r\n"); });
  EXPECT_EQ(Post(receiver.Url()).error, ErrorKind::kResponseTooBig);
}

TEST_F(TransportBoundsTest, HeadersUpToTheBoundAreTaken) {
  std::string block = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  std::string line = "X-Filler: " + std::string(1'000, 'a') + "\r\n";
  while (block.size() + line.size() + 2 <= kMaxHeaderBytes) block += line;
  block += "\r\n";
  HttpReceiver receiver([&](const ReceivedRequest&) { return ReceiverAnswer::Raw(block, Then::kKeepAlive); });
  EXPECT_EQ(Post(receiver.Url()).status, 200);
}

TEST_F(TransportBoundsTest, AnEndlessBodyIsCutAndTheVerdictStands) {
  std::string chunk = "400\r\n" + std::string(0x400, 'b') + "\r\n";
  HttpReceiver receiver([&](const ReceivedRequest&) {
    return Endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk);
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, std::string(kKeptBodyBytes, 'b'));
  EXPECT_TRUE(result.body_truncated);
  EXPECT_LT(result.us.total, 1'500'000) << "cut by size, not by time";
}

TEST_F(TransportBoundsTest, ABodyOfTheBoundKeepsTheConnection) {
  std::atomic<size_t> size = kDrainedBodyBytes;
  HttpReceiver receiver(
      [&](const ReceivedRequest&) { return ReceiverAnswer::Status(200, std::string(size, 'b')); });
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  EXPECT_EQ(receiver.connection_count(), 1u);
  size = kDrainedBodyBytes + 1;
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  EXPECT_EQ(Post(receiver.Url()).status, 200);
  EXPECT_EQ(receiver.connection_count(), 2u);
}

TEST_F(TransportBoundsTest, ABodyThatStallsIsCutAfterTheDrainTime) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::kHang);
  });
  HttpResult result = Post(receiver.Url(), Millis(30'000));
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, "half");
  EXPECT_TRUE(result.body_truncated);
  EXPECT_GE(result.us.total, 1'999'000);
  EXPECT_LT(result.us.total, 6'000'000);
}

TEST_F(TransportBoundsTest, ABodyThatStallsIsCutAtTheDeadline) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return ReceiverAnswer::Raw("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf", Then::kHang);
  });
  HttpResult result = Post(receiver.Url(), Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_EQ(result.status, 503);
  EXPECT_EQ(result.body, "half");
  EXPECT_GE(result.us.total, 299'000);
  EXPECT_LT(result.us.total, 1'500'000);
}

TEST_F(TransportBoundsTest, ABrokenBodyDoesNotChangeTheVerdict) {
  HttpReceiver receiver([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  for (const char* body :
       {"Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\nnot a chunk\r\n", "\r\nhalf"}) {
    receiver.SetHandler([bytes = std::string("HTTP/1.1 200 OK\r\n") + body](const ReceivedRequest&) {
      return ReceiverAnswer::Raw(bytes, Then::kReset);
    });
    HttpResult result = Post(receiver.Url());
    EXPECT_EQ(result.error, ErrorKind::kNone) << body;
    EXPECT_EQ(result.status, 200) << body;
  }
}

TEST_F(TransportBoundsTest, EndlessTrailersDoNotChangeTheVerdict) {
  HttpReceiver receiver([](const ReceivedRequest&) {
    return Endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: a\r\n");
  });
  HttpResult result = Post(receiver.Url());
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.error, ErrorKind::kNone);
  EXPECT_LT(result.us.total, 5'000'000);
}

}  // namespace
}  // namespace hookd::testing
