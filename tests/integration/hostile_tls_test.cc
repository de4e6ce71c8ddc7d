// Receivers that abuse TLS, and name servers that abuse DNS.
#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <optional>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "tests/integration/hostile_fixture.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

constexpr Millis kShort{400};
const Outcome kInTime{ErrorKind::kTimeout, 0, Millis(2'500)};
const Outcome kTls{ErrorKind::kTls};

std::string Record(uint8_t type, const std::string& payload) {
  std::string record(1, static_cast<char>(type));
  record += std::string("\x03\x03", 2);
  record += static_cast<char>(payload.size() >> 8);
  record += static_cast<char>(payload.size());
  return record + payload;
}

class HostileTlsTest : public HostileFixture {
 protected:
  void HoldTls(const std::string& name, ScriptedReceiver::Script script, const Outcome& outcome,
               Millis timeout = Millis(30'000)) {
    Hold({name, std::move(script), outcome, timeout, "{}", "https"});
  }

  static ScriptedReceiver::Script Says(std::string bytes, std::string forever = "") {
    return [=](ScriptedPeer& peer) {
      peer.WaitReadable();  // the client's hello
      peer.Write(bytes);
      if (!forever.empty()) peer.WriteForever(forever);
      peer.Drain();
    };
  }
};

TEST_F(HostileTlsTest, Handshakes) {
  // Of a ServerHello, its type and length, without the rest.
  const std::string begun = std::string("\x02\x00\x00\x50", 4) + std::string(10, 'r');
  HoldTls(
      "silence", [](ScriptedPeer& peer) { peer.Idle(); }, kInTime, kShort);
  HoldTls("a handshake that stalls", Says(Record(22, begun)), kInTime, kShort);
  HoldTls(
      "a handshake byte by byte",
      [begun](ScriptedPeer& peer) { peer.Trickle(Record(22, begun + std::string(66, 'r')), Millis(100)); },
      kInTime, kShort);
  HoldTls("noise", Says("", std::string(1'000, '\xa5')), kTls);
  HoldTls("zero bytes without end", Says("", std::string(1'000, '\0')), kTls);
  HoldTls("HTTP without TLS", Says("HTTP/1.1 200 OK\r\n\r\n"), kTls);
  HoldTls("a message of 16 MiB",
          Says(Record(22, std::string("\x02\xff\xff\xff", 4)), Record(22, std::string(16'000, 'x'))), kTls);
  HoldTls("empty records without end", Says("", Record(22, "")), kTls);
  HoldTls("warnings without end", Says("", Record(21, std::string("\x01\x5a", 2))), kTls);
  HoldTls("a fatal alert", Says(Record(21, std::string("\x02\x28", 2))), kTls);
  HoldTls("a record of another version", Says(std::string("\x16\x09\x09\x00\x05hello", 10)), kTls);
  HoldTls(
      "an end instead of a handshake",
      [](ScriptedPeer& peer) {
        peer.HalfClose();
        peer.Drain();
      },
      kTls);
  HoldTls(
      "a reset within the handshake",
      [](ScriptedPeer& peer) {
        peer.WaitReadable();
        peer.Reset();
      },
      kTls);
}

// Speaks TLS by OpenSSL's rules, and HTTP by none.
class TlsServer {
 public:
  TlsServer(const TestCa& ca, int version) : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_use_certificate_chain_file(context_.get(), ca.certificate("server").c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), ca.key("server").c_str(), SSL_FILETYPE_PEM);
  }

  // Agrees to HTTP/2 with whom offers it.
  void SpeakHttp2() {
    SSL_CTX_set_alpn_select_cb(
        context_.get(),
        [](SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char*, unsigned int,
           void*) {
          *chosen = reinterpret_cast<const unsigned char*>("h2");
          *size = 2;
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
  }

  // `serve` has read the request, up to `end`.
  ScriptedReceiver::Script Serve(std::function<void(SSL*, ScriptedPeer&)> serve,
                                 std::string end = "\r\n\r\n{}") const {
    return [this, serve, end](ScriptedPeer& peer) {
      std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
      SSL_set_fd(ssl.get(), peer.fd());
      if (SSL_accept(ssl.get()) != 1) return;
      std::string request;
      char byte = 0;
      while (!request.ends_with(end) && SSL_read(ssl.get(), &byte, 1) == 1) request += byte;
      serve(ssl.get(), peer);
    };
  }

  static bool Write(SSL* ssl, const std::string& text) {
    return SSL_write(ssl, text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }

  // So many key updates, not sent. From now on `ssl` says nothing else.
  static std::string KeyUpdates(SSL* ssl, int count) {
    BIO* gathered = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl, gathered);
    for (int i = 0; i < count; ++i) {
      SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(ssl);
    }
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(gathered, &bytes);
    return {bytes, static_cast<size_t>(size)};
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
};

class HostileTlsServerTest : public HostileTlsTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ca_.ok() && ca_.Issue("server", "IP:127.0.0.1", 30)) << "openssl is missing";
    CurlTransportOptions options;
    options.ca_file = ca_.ca_file();
    Make(options);
  }

  TestCa ca_;
};

TEST_F(HostileTlsServerTest, BehindTheHandshake) {
  const std::string head = "HTTP/1.1 200 OK\r\n";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsServer server(ca_, version);
    HoldTls("headers without end", server.Serve([&](SSL* ssl, ScriptedPeer&) {
      TlsServer::Write(ssl, head);
      while (TlsServer::Write(ssl, "X-Filler: " + std::string(1'000, 'a') + "\r\n")) {
      }
    }),
            {ErrorKind::kResponseTooBig});
    HoldTls("a body without end", server.Serve([&](SSL* ssl, ScriptedPeer&) {
      TlsServer::Write(ssl, head + "\r\n");
      while (TlsServer::Write(ssl, std::string(1'000, 'b'))) {
      }
    }),
            {ErrorKind::kNone, 200});
    HoldTls("silence", server.Serve([](SSL*, ScriptedPeer& peer) { peer.Drain(); }), kInTime, kShort);
    HoldTls("an end without a word", server.Serve([](SSL*, ScriptedPeer& peer) { peer.HalfClose(); }),
            {ErrorKind::kProtocol});
    HoldTls("noise between records", server.Serve([](SSL*, ScriptedPeer& peer) {
      peer.Write(std::string(1'000, '\xa5'));
      peer.Drain();
    }),
            {ErrorKind::kProtocol});
  }
}

TEST_F(HostileTlsServerTest, RenegotiationIsRefused) {
  const TlsServer server(ca_, TLS1_2_VERSION);
  std::atomic<int> renegotiated{0};
  HoldTls("a renegotiation before the answer", server.Serve([&](SSL* ssl, ScriptedPeer&) {
    SSL_renegotiate(ssl);
    if (SSL_do_handshake(ssl) == 1 && SSL_renegotiate_pending(ssl) == 0) {
      char byte = 0;
      if (SSL_read(ssl, &byte, 1) == 1) ++renegotiated;
    }
    TlsServer::Write(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }),
          {ErrorKind::kNone, 200});
  EXPECT_EQ(renegotiated, 0);
}

// Each costs a thousand times what other bytes do, and OpenSSL reads on while there are more. All come at
// once: written one by one they take the receiver as long as they take hookd.
TEST_F(HostileTlsServerTest, KeyUpdatesWithoutEnd) {
  constexpr int kUpdates = 18'000;
  const TlsServer server(ca_, TLS1_3_VERSION);
  const Outcome cut{ErrorKind::kProtocol, 0, Millis(20'000)};
  HoldTls("key updates without end", server.Serve([](SSL* ssl, ScriptedPeer& peer) {
    peer.Write(TlsServer::KeyUpdates(ssl, kUpdates));
    peer.Drain();
  }),
          cut);
}

// The next exchange reads them before it says that it has the connection.
TEST_F(HostileTlsServerTest, KeyUpdatesWithoutEndBetweenTwoExchanges) {
  constexpr int kUpdates = 100'000;
  constexpr size_t kFirst = size_t{80} << 10;  // lies in the kernel before the second exchange
  TlsServer server(ca_, TLS1_3_VERSION);
  server.SpeakHttp2();
  std::promise<void> flooded;
  std::atomic<bool> answered{false};
  ScriptedReceiver hostile(server.Serve(
      [&](SSL* ssl, ScriptedPeer& peer) {
        const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
        const std::string acknowledged("\0\0\0\4\1\0\0\0\0", 9);
        const std::string ok("\0\0\1\1\5\0\0\0\1\x88", 10);  // HEADERS of stream 1: ":status: 200", its end
        TlsServer::Write(ssl, settings + acknowledged + ok);
        if (answered.exchange(true)) return peer.Drain();
        const std::string updates = TlsServer::KeyUpdates(ssl, kUpdates);
        peer.Write(std::string_view(updates).substr(0, kFirst));
        flooded.set_value();
        peer.Write(std::string_view(updates).substr(kFirst));
        peer.Drain();
      },
      "{}"));
  HttpRequest request = Request(hostile.Url("https"));
  request.http_version = HttpVersion::kHttp2;
  EXPECT_EQ(Post(request).status, 200);
  flooded.get_future().wait();
  std::optional<HttpResult> second;
  transport_->Send(request, [&](HttpResult result) { second = std::move(result); });
  while (!second) {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(Post(well_.Url()).status, 200);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, kHealthyAtMost);
  }
  EXPECT_EQ(second->status, 200) << "over a connection of its own: " << second->error_detail;
  EXPECT_EQ(hostile.connection_count(), 2u);
}

class HostileDnsTest : public HostileFixture {
 protected:
  static DnsAnswer Raw(std::string bytes) {
    DnsAnswer answer;
    answer.raw = std::move(bytes);
    return answer;
  }
};

TEST_F(HostileDnsTest, AnswersThatAreNone) {
  std::string many("\x81\x80\0\1\xff\xff\0\0\0\0", 10);  // 65,535 records, of which none is there
  std::map<std::string, DnsAnswer> names{
      {"empty.test", Raw("")},
      {"noise.test", Raw(std::string(500, '\xa5'))},
      {"zeros.test", Raw(std::string(500, '\0'))},
      {"large.test", Raw(std::string(60'000, '\xa5'))},
      {"many.test", Raw(many + std::string(400, '\xc0'))},
      {"loop.test", Raw(std::string("\x81\x80\0\0\0\1\0\0\0\0\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", 26))},
      {"truncated.test", Raw(std::string("\x83\x80\0\0\0\0\0\0\0\0", 10))},
      {"silent.test", Silent()},
  };
  const DnsResponder dns(names);
  CurlTransportOptions options;
  options.dns_servers = {dns.address()};
  size_t tried = 0;
  for (const auto& entry : names) {
    const std::string& name = entry.first;
    Make(options);  // nothing is known of a name server that answered before
    size_t ended = 0;
    for (size_t i = 0; i < kAtOnce; ++i) {
      transport_->Send(Request("http://" + name + "/", Millis(500)), [&](const HttpResult& result) {
        ++ended;
        EXPECT_TRUE(result.error == ErrorKind::kLocal || result.error == ErrorKind::kName)
            << name << ": " << ToString(result.error) << " " << result.error_detail;
        EXPECT_LT(result.us.total, 2'500'000) << name;
      });
    }
    do {
      const auto begun = std::chrono::steady_clock::now();
      EXPECT_EQ(Post(well_.Url()).status, 200);
      EXPECT_LT(std::chrono::steady_clock::now() - begun, kHealthyAtMost) << name;
    } while (ended < kAtOnce && !HasFailure());
    ++tried;
  }
  std::printf("hostile name servers tried: %zu\n", tried);
}

// More addresses than are tried: each attempt's effort has a bound.
TEST_F(HostileDnsTest, MoreAddressesThanAreTried) {
  DnsAnswer crowd;
  for (int i = 0; i < 28; ++i) crowd.v4.push_back("127.9.9." + std::to_string(i + 1));
  const DnsResponder dns({{"crowd.test", crowd}});
  CurlTransportOptions options;
  options.dns_servers = {dns.address()};
  Make(options);
  const HttpReceiver elsewhere;  // on 127.0.0.1 alone
  const HttpResult result = Post("http://crowd.test:" + std::to_string(elsewhere.port()) + "/");
  EXPECT_EQ(ToString(result.error), "connect") << result.error_detail;
  EXPECT_LT(result.us.total, 2'000'000);
}

}  // namespace
}  // namespace hookd::testing
