// Receivers that abuse HTTP/1.1.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/integration/hostile_fixture.h"

namespace hookd::testing {
namespace {

using HostileTest = HostileFixture;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\n";

// So many zeros, compressed.
std::string ReadGzip(size_t zeros) {
  std::string out;
  FILE* pipe = popen(("head -c " + std::to_string(zeros) + " /dev/zero | gzip -9").c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof(buffer), pipe)) out.append(buffer, got);
  pclose(pipe);
  return out;
}

ScriptedReceiver::Script Answer(std::string bytes, void (ScriptedPeer::*then)() = &ScriptedPeer::Drain) {
  return [bytes = std::move(bytes), then](ScriptedPeer& peer) {
    peer.ReadRequest();
    peer.Write(bytes);
    (peer.*then)();
  };
}

ScriptedReceiver::Script Endless(std::string begin, std::string forever) {
  return [begin = std::move(begin), forever = std::move(forever)](ScriptedPeer& peer) {
    peer.ReadRequest();
    peer.Write(begin);
    peer.WriteForever(forever);
  };
}

ScriptedReceiver::Script Trickled(std::string begin, std::string slowly, Millis between) {
  return [begin = std::move(begin), slowly = std::move(slowly), between](ScriptedPeer& peer) {
    peer.ReadRequest();
    peer.Write(begin);
    while (peer.Trickle(slowly, between)) {
    }
  };
}

const auto kReset = &ScriptedPeer::Reset;
const auto kHalfClose = &ScriptedPeer::HalfClose;
const Outcome kTooBig{ErrorKind::kResponseTooBig};
const Outcome kTooBigOrCut{ErrorKind::kResponseTooBig, 0, Millis(3'000), "", true};
const Outcome kBroken{ErrorKind::kProtocol};
const Outcome kVerdictStands{ErrorKind::kNone, 200};
const Outcome kInTime{ErrorKind::kTimeout, 0, Millis(2'000)};
constexpr Millis kShort{400};

TEST_F(HostileTest, HeadersHaveABound) {
  Hold({"headers without end", Endless(std::string(kOk), "X-Filler: " + std::string(100, 'a') + "\r\n"),
        kTooBig});
  Hold({"empty headers without end", Endless(std::string(kOk), "A:\r\n"), kTooBig});
  Hold({"one header of 1 MiB", Answer(std::string(kOk) + "X: " + std::string(1 << 20, 'a') + "\r\n\r\n"),
        kTooBig});
  Hold({"a header line without end", Endless(std::string(kOk) + "X: ", "a"), kTooBig});
  Hold({"a folded header without end", Endless(std::string(kOk) + "X: a\r\n", " more\r\n"), kTooBigOrCut});
  Hold({"a status line without end", Endless("HTTP/1.1 200 ", "a"), kTooBig});
  Hold({"interim answers without end", Endless("", "HTTP/1.1 100 Continue\r\n\r\n"), kTooBig});
  Hold({"early hints without end", Endless("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), kTooBig});
}

TEST_F(HostileTest, SlownessHasADeadline) {
  Hold({"one byte a second from the start", Trickled("", std::string(kOk), Millis(1'000)), kInTime, kShort});
  Hold({"one header byte a second", Trickled(std::string(kOk), "X: aaaaaaaa\r\n", Millis(1'000)), kInTime,
        kShort});
  Hold({"one header line each 20 ms", Trickled(std::string(kOk) + "A:", "b", Millis(20)), kInTime, kShort});
  Hold({"an interim answer now and then", Trickled("", "HTTP/1.1 102 Processing\r\n\r\n", Millis(2)), kInTime,
        kShort});
  Hold({"silence", Answer(""), kInTime, kShort});
  Hold({"a request that nobody reads", [](ScriptedPeer& peer) { peer.Idle(); }, kInTime, kShort,
        std::string(16 << 20, 'x')});
  Hold({"one body byte a second",
        Trickled(std::string(kOk) + "Content-Length: 1000\r\n\r\n", "b", Millis(1'000)),
        {ErrorKind::kNone, 200, Millis(4'000)}});
  Hold({"one chunk a second",
        Trickled(std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n", Millis(300)),
        {ErrorKind::kNone, 200, Millis(4'000)}});
}

TEST_F(HostileTest, BodiesAreCutAndTheVerdictStands) {
  const std::string chunked = std::string(kOk) + "Transfer-Encoding: chunked\r\n\r\n";
  const Outcome in_drain_time{ErrorKind::kNone, 200, Millis(4'000)};
  Hold(
      {"chunks without end", Endless(chunked, "400\r\n" + std::string(0x400, 'b') + "\r\n"), kVerdictStands});
  Hold({"tiny chunks without end", Endless(chunked, "1\r\nb\r\n"), kVerdictStands});
  Hold({"a body without end or length", Endless(std::string(kOk) + "\r\n", "b"), kVerdictStands});
  Hold({"a length of 8 EiB", Endless(std::string(kOk) + "Content-Length: 9223372036854775807\r\n\r\n", "b"),
        kVerdictStands});
  Hold({"a chunk of 8 EiB", Endless(chunked + "7FFFFFFFFFFFFFFF\r\n", "b"), kVerdictStands});
  Hold({"a chunk whose size overflows", Endless(chunked + "FFFFFFFFFFFFFFFFF\r\n", "b"), kVerdictStands});
  Hold({"a chunk of a negative size", Answer(chunked + "-1\r\nb\r\n"), kVerdictStands});
  Hold({"a chunk size without end", Endless(chunked, "1"), kVerdictStands});
  Hold({"a chunk extension without end", Endless(chunked + "1;", "a"), in_drain_time});
  Hold({"trailers without end", Endless(chunked + "0\r\n", "X-Trailer: a\r\n"), in_drain_time});
  Hold({"a trailer line without end", Endless(chunked + "0\r\nX: ", "a"), in_drain_time});
  Hold({"what is no chunk", Answer(chunked + "hello\r\n"), kVerdictStands});
  Hold({"less than the length says", Answer(std::string(kOk) + "Content-Length: 100\r\n\r\nhalf", kHalfClose),
        kVerdictStands});
  Hold({"a body behind 204", Endless("HTTP/1.1 204 No Content\r\n\r\n", "b"), {ErrorKind::kNone, 204}});
  Hold({"a body behind 304", Endless("HTTP/1.1 304 Not Modified\r\n\r\n", "b"), {ErrorKind::kNone, 304}});
}

TEST_F(HostileTest, ConnectionsThatBreakAreProtocol) {
  Hold({"a reset within the request's first bytes",
        [](ScriptedPeer& peer) {
          peer.WaitReadable();
          peer.Reset();
        },
        kBroken});
  Hold({"a reset within the request",
        [](ScriptedPeer& peer) {
          peer.ReadUntil("POST");
          peer.Reset();
        },
        kBroken, Millis(30'000), std::string(4 << 20, 'x')});
  Hold({"a reset behind the request", Answer("", kReset), kBroken});
  Hold({"a reset within the status line", Answer("HTTP/1.", kReset), kBroken});
  Hold({"a reset within the headers", Answer(std::string(kOk) + "X: a\r\n", kReset), kBroken});
  Hold({"a reset within the body", Answer(std::string(kOk) + "Content-Length: 9\r\n\r\nb", kReset),
        kVerdictStands});
  Hold({"a half-close instead of an answer",
        [](ScriptedPeer& peer) {
          peer.ReadRequest();
          peer.HalfClose();
          peer.Drain();
        },
        kBroken});
  Hold({"a half-close before the request is read",
        [](ScriptedPeer& peer) {
          peer.HalfClose();
          peer.Drain();
        },
        kBroken});
  Hold({"an end within the headers", Answer(std::string(kOk) + "X: a\r\n", kHalfClose), kBroken});
  Hold({"an end behind an interim answer", Answer("HTTP/1.1 100 Continue\r\n\r\n", kHalfClose), kBroken});
}

TEST_F(HostileTest, WhatIsNotHttpIsProtocol) {
  std::string noise;
  for (int i = 0; i < 4096; ++i) noise += static_cast<char>((i * 7919 + 13) >> 3);
  Hold({"noise", Answer(noise, kHalfClose), kBroken});
  Hold({"noise without end", Endless("", noise), kBroken});
  Hold({"zero bytes without end", Endless("", std::string(1024, '\0')), kBroken});
  Hold({"another protocol", Answer("SSH-2.0-OpenSSH_9.2\r\n"), kBroken});
  Hold({"HTTP/0.9", Answer("<html>hello</html>", kHalfClose), kBroken});
  Hold({"HTTP/0.9 without end", Endless("<html>", "hello"), kBroken});
  Hold({"TLS", Answer(std::string("\x15\x03\x01\x00\x02\x02\x46", 7), kHalfClose), kBroken});
  Hold({"an HTTP/2 preface", Answer(std::string("\0\0\0\4\0\0\0\0\0", 9), kHalfClose), kBroken});
  Hold({"an answer in HTTP/2's name", Answer("HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", kHalfClose),
        kVerdictStands});
  Hold({"an answer in HTTP/9's name", Answer("HTTP/9.9 200 OK\r\n\r\n", kHalfClose), kBroken});
  Hold({"status 000", Answer("HTTP/1.1 000 Zero\r\n\r\n", kHalfClose), kBroken});
  Hold({"status 999", Answer("HTTP/1.1 999 Much\r\n\r\n", kHalfClose), kBroken});
  Hold({"status without a number", Answer("HTTP/1.1 OK\r\n\r\n", kHalfClose), kBroken});
  Hold({"a switch of protocols", Answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
        kBroken});
  Hold({"NUL in a header", Answer(std::string(kOk) + std::string("X: a\0b\r\n\r\n", 10), kHalfClose),
        kBroken});
  Hold({"a length that is no number", Answer(std::string(kOk) + "Content-Length: much\r\n\r\n", kHalfClose),
        kBroken});
  Hold({"a negative length", Answer(std::string(kOk) + "Content-Length: -5\r\n\r\n", kHalfClose), kBroken});
}

// Compression is never asked for, and what comes compressed is kept as it came.
TEST_F(HostileTest, NothingIsInflated) {
  // gzip of 1 MiB of zeros, and 60 times that.
  const std::string bomb = ReadGzip(1 << 20);
  ASSERT_LT(bomb.size(), 2'000u);
  for (const char* coding : {"gzip", "deflate", "br", "zstd", "gzip, gzip, gzip, gzip, gzip, gzip, gzip"}) {
    const std::string head = std::string(kOk) + "Content-Encoding: " + coding +
                             "\r\nContent-Length: " + std::to_string(bomb.size()) + "\r\n\r\n";
    for (const HttpResult& result : Attack({coding, Answer(head + bomb), kVerdictStands})) {
      EXPECT_EQ(result.status, 200) << coding;
      EXPECT_EQ(result.body, bomb) << coding;
    }
  }
  for (const char* coding : {"gzip", "deflate", "gzip, chunked", "x-gzip", "br"}) {
    const std::string head = std::string(kOk) + "Transfer-Encoding: " + coding + "\r\n\r\n";
    for (const HttpResult& result : Attack({coding, Answer(head + bomb, kHalfClose), kVerdictStands})) {
      EXPECT_EQ(result.status, 200) << coding;
      EXPECT_EQ(result.body, "") << coding << ": such a body is not read";
    }
  }
  for (const ReceivedRequest& request : well_.requests()) {
    ASSERT_EQ(request.Header("accept-encoding"), "");
    ASSERT_EQ(request.Header("te"), "");
  }
}

// libcurl 7.88.1 appends such a line to the last header of the handle's answer before, which it has freed.
TEST_F(HostileTest, AFoldedLineHasNoHeaderOfAnotherAnswer) {
  const std::string end = "Content-Length: 0\r\nX-Last: c\r\n\r\n";
  ScriptedReceiver headers(Answer(std::string(kOk) + end, kHalfClose));
  ScriptedReceiver folded(
      Answer(std::string(kOk) + " folded: " + std::string(500, 'f') + "\r\n\tagain\r\n\r\n", kHalfClose));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Post(headers.Url()).status, 200);
    const HttpResult result = Post(folded.Url());
    EXPECT_EQ(result.error, ErrorKind::kProtocol) << result.error_detail;
    EXPECT_EQ(result.headers.find("X-Last"), std::string::npos);
  }
}

// What comes behind an answer is no answer to what is sent next.
TEST_F(HostileTest, ASecondAnswerAnswersNothing) {
  const std::string first = std::string(kOk) + "Content-Length: 2\r\n\r\nok";
  const std::string second = "HTTP/1.1 201 Injected\r\nContent-Length: 0\r\n\r\n";
  ScriptedReceiver receiver([&](ScriptedPeer& peer) {
    while (!peer.ReadRequest().empty()) peer.Write(first + second);
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Post(receiver.Url()).status, 200) << i;
}

// Nor is what comes in a packet of its own, while nothing is asked.
TEST_F(HostileTest, ASecondAnswerLaterAnswersNothing) {
  std::atomic<int> injected{0};
  std::atomic<bool> answered{false};
  ScriptedReceiver receiver([&](ScriptedPeer& peer) {
    while (!peer.ReadRequest().empty()) {
      const bool first = !answered.exchange(true);
      peer.Write(Concat(kOk, "Content-Length: 2\r\n\r\nok"));
      if (first) {
        while (injected == 0) std::this_thread::yield();  // until the client has had that
        peer.Write("HTTP/1.1 201 Injected\r\nContent-Length: 0\r\n\r\n");
      }
      ++injected;
    }
  });
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(Post(receiver.Url()).status, 200) << i;
    if (i == 1) injected = 1;
    while (injected < i + 1) std::this_thread::yield();
  }
  EXPECT_EQ(receiver.connection_count(), 2u);  // the first is not used again, the second is
}

}  // namespace
}  // namespace hookd::testing
