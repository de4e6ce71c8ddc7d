// Receivers that abuse HTTP/2, frame by frame (RFC 9113). Prior knowledge over plain TCP: the frames are the
// same.
#include <gtest/gtest.h>

#include "tests/integration/hostile_fixture.h"

namespace hookd::testing {
namespace {

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
  kUnknown = 0x7f,
};
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndHeaders = 4;

std::string Be32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string FrameHead(size_t length, uint8_t type, uint8_t flags, uint32_t stream) {
  std::string head = Be32(static_cast<uint32_t>(length)).substr(1);
  head += static_cast<char>(type);
  head += static_cast<char>(flags);
  return head + Be32(stream);
}

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload = "") {
  return FrameHead(payload.size(), type, flags, stream) + payload;
}

// HPACK: ":status: 200" is entry 8 of the static table; a literal without indexing otherwise.
const std::string kStatus200 = "\x88";
const std::string kStatus103 = std::string("\x08\x03", 2) + "103";

std::string Literal(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) +
         value;
}

const std::string kSettingsFrame = Frame(kSettings, 0, 0);
const std::string kOk = Frame(kHeaders, kEndHeaders, 1, kStatus200);

// Greets as a server does, waits for the request's headers, answers so, and again and again.
ScriptedReceiver::Script Server(std::string answer, std::string forever = "",
                                std::string settings = kSettingsFrame) {
  return [=](ScriptedPeer& peer) {
    peer.ReadUntil("SM\r\n\r\n");
    peer.Write(settings + Frame(kSettings, kAck, 0));
    peer.WaitReadable();
    peer.Write(answer);
    if (!forever.empty()) peer.WriteForever(forever);
    peer.Drain();
  };
}

constexpr Millis kShort{400};
const Outcome kBroken{ErrorKind::kProtocol};
const Outcome kInTime{ErrorKind::kTimeout, 0, Millis(2'500)};
const Outcome kVerdictStands{ErrorKind::kNone, 200, Millis(4'000)};

class Http2 : public HostileFixture {
 protected:
  void HoldHttp2(const std::string& name, ScriptedReceiver::Script script, const Outcome& outcome,
                 Millis timeout = Millis(30'000), std::string body = "{}") {
    Hold({name, std::move(script), outcome, timeout, std::move(body), "http", HttpVersion::kHttp2});
  }
};

TEST_F(Http2, StreamsThatEndEarly) {
  HoldHttp2("rapid reset", Server(Frame(kRstStream, 0, 1, Be32(8))), kBroken);
  HoldHttp2("a refused stream", Server(Frame(kRstStream, 0, 1, Be32(7))), kBroken);
  HoldHttp2("calm demanded", Server(Frame(kRstStream, 0, 1, Be32(11))), kBroken);
  HoldHttp2("a reset with the headers", Server(kOk + Frame(kRstStream, 0, 1, Be32(8))), kBroken);
  HoldHttp2("going away at once", Server(Frame(kGoAway, 0, 0, Be32(0) + Be32(0))), kBroken);
  HoldHttp2(
      "going away before the greeting",
      [](ScriptedPeer& peer) {
        peer.Write(kSettingsFrame + Frame(kGoAway, 0, 0, Be32(0) + Be32(11)));
        peer.Drain();
      },
      kBroken);
  HoldHttp2("going away, then silence on the stream", Server(Frame(kGoAway, 0, 0, Be32(1) + Be32(0))),
            kInTime, kShort);
  HoldHttp2(
      "an end of the connection",
      [](ScriptedPeer& peer) {
        peer.ReadUntil("SM\r\n\r\n");
        peer.Write(kSettingsFrame);
        peer.WaitReadable();
        peer.HalfClose();
        peer.Drain();
      },
      kBroken);
}

TEST_F(Http2, Floods) {
  const std::string ping = Frame(kPing, 0, 0, "12345678");
  const std::string setting = Frame(kSettings, 0, 0, std::string("\0\4", 2) + Be32(65'535));
  HoldHttp2("a flood of SETTINGS", Server("", kSettingsFrame), kBroken);
  HoldHttp2("a flood of SETTINGS with values", Server("", setting), kBroken);
  HoldHttp2("a flood of PING", Server("", ping), kBroken);
  HoldHttp2("a flood of PING acknowledgements", Server("", Frame(kPing, kAck, 0, "12345678")), kBroken);
  HoldHttp2("a flood of PRIORITY", Server("", Frame(kPriority, 0, 1, Be32(0) + "\x10")), kBroken);
  HoldHttp2("a flood of unknown frames", Server("", Frame(kUnknown, 0, 0, "x")), kBroken);
  HoldHttp2("a flood of WINDOW_UPDATE", Server("", Frame(kWindowUpdate, 0, 0, Be32(1))), kBroken);
  HoldHttp2("resets of other streams without end", Server("", Frame(kRstStream, 0, 3, Be32(8))), kBroken);
  HoldHttp2("interim answers without end", Server("", Frame(kHeaders, kEndHeaders, 1, kStatus103)), kBroken);
  HoldHttp2("data without end", Server(kOk, Frame(kData, 0, 1, std::string(1'000, 'b'))), kVerdictStands);
  HoldHttp2("empty data without end", Server(kOk, Frame(kData, 0, 1)), kVerdictStands);
}

TEST_F(Http2, HeaderBombs) {
  const std::string start = FrameHead(1, kHeaders, 0, 1) + kStatus200;
  const std::string line = Literal("x", std::string(100, 'a'));
  HoldHttp2("CONTINUATION without end", Server(start, Frame(kContinuation, 0, 1, line)), kBroken);
  HoldHttp2("empty CONTINUATION without end", Server(start, Frame(kContinuation, 0, 1)), kBroken);
  // One long header in the dynamic table (entry 62), then a byte for each time it is named.
  const std::string indexed = std::string("\x40\x01x\x7f\x81\x1e", 6) + std::string(4'000, 'a');
  HoldHttp2("a header table bomb",
            Server(Frame(kHeaders, kEndHeaders, 1, kStatus200 + indexed + std::string(12'000, '\xbe'))),
            kBroken);
  HoldHttp2("a header block that is none", Server(Frame(kHeaders, kEndHeaders, 1, std::string(50, '\xff'))),
            kBroken);
  HoldHttp2("headers without a status", Server(Frame(kHeaders, kEndHeaders | kEndStream, 1, line)), kBroken);
  HoldHttp2("a header table beyond its size",
            Server(Frame(kHeaders, kEndHeaders, 1, std::string("\x3f\xe1\xff\xff\x7f", 5) + kStatus200)),
            kBroken);
}

TEST_F(Http2, FramesOutOfTheirPlace) {
  HoldHttp2("noise", Server("", std::string(1'000, '\xa5')), kBroken);
  HoldHttp2("HTTP/1.1", Server("HTTP/1.1 200 OK\r\n\r\n", "hello"), kBroken);
  HoldHttp2("a frame of 16 MiB", Server(FrameHead(0xffffff, kData, 0, 1), "b"), kBroken);
  HoldHttp2("data before the headers", Server(Frame(kData, 0, 1, "b"), Frame(kData, 0, 1, "b")), kBroken);
  HoldHttp2("data on no stream", Server(Frame(kData, 0, 0, "b")), kBroken);
  HoldHttp2("headers on a stream of their own", Server(Frame(kHeaders, kEndHeaders, 5, kStatus200)), kBroken);
  HoldHttp2("a push that was never allowed",
            Server(Frame(kPushPromise, kEndHeaders, 1, Be32(2) + kStatus200)), kBroken);
  HoldHttp2("a window beyond its size", Server(Frame(kWindowUpdate, 0, 1, Be32(0x7fffffff))), kBroken);
  HoldHttp2("a window update of nothing", Server(Frame(kWindowUpdate, 0, 1, Be32(0))), kBroken);
}

TEST_F(Http2, SlownessHasADeadline) {
  const std::string no_window = Frame(kSettings, 0, 0, std::string("\0\4", 2) + Be32(0));
  HoldHttp2(
      "no settings", [](ScriptedPeer& peer) { peer.Drain(); }, kInTime, kShort);
  HoldHttp2("silence", Server(""), kInTime, kShort);
  HoldHttp2("a window that never opens", Server("", "", no_window), kInTime, kShort,
            std::string(256 * 1024, 'x'));
  HoldHttp2(
      "a window of one byte at a time",
      [no_window](ScriptedPeer& peer) {
        peer.ReadUntil("SM\r\n\r\n");
        peer.Write(no_window);
        peer.WaitReadable();
        while (peer.Trickle(Frame(kWindowUpdate, 0, 1, Be32(1)), Millis(5))) {
        }
      },
      kInTime, kShort, std::string(256 * 1024, 'x'));
  HoldHttp2(
      "a frame byte by byte",
      [](ScriptedPeer& peer) {
        peer.ReadUntil("SM\r\n\r\n");
        peer.Trickle(kSettingsFrame + kOk, Millis(100));
      },
      kInTime, kShort);
}

}  // namespace
}  // namespace hookd::testing
