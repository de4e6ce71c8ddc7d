// The way out: an egress proxy, and addresses to connect from.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/fakes/scripted_receiver.h"
#include "tests/integration/nginx_fixture.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

int ConnectTo(const std::string& address_and_port) {
  const size_t colon = address_and_port.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(address_and_port.substr(colon + 1))));
  if (inet_pton(AF_INET, address_and_port.substr(0, colon).c_str(), &address.sin_addr) != 1) return -1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

std::string PeerOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size);
  char text[INET_ADDRSTRLEN] = "";
  return inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
}

// Both ways until one side ends.
void Relay(ScriptedPeer& peer, int other) {
  char buffer[4096];
  while (true) {
    pollfd both[2] = {{peer.fd(), POLLIN, 0}, {other, POLLIN, 0}};
    if (poll(both, 2, 5'000) <= 0) return;
    for (int i = 0; i < 2; ++i) {
      if (both[i].revents == 0) continue;
      const ssize_t size = recv(both[i].fd, buffer, sizeof(buffer), 0);
      if (size <= 0 || send(both[1 - i].fd, buffer, static_cast<size_t>(size), MSG_NOSIGNAL) != size) return;
    }
  }
}

class EgressProxyTest : public TransportFixture {
 protected:
  void SetUp() override { UseProxy(proxy_.port(), {}); }

  void UseProxy(uint16_t port, EgressOptions rules) {
    CurlTransportOptions options;
    options.path.proxy = ParseIp("127.0.0.1");
    options.path.proxy_port = port;
    options.dns_servers = {dns_.address()};
    // Loopback stands for the world here; the proxy itself is in no list.
    if (rules.allow_addresses.empty()) rules.allow_addresses = {*ParseCidr("127.0.0.2")};
    options.egress = std::make_shared<const EgressPolicy>(rules);
    options.ca_file = ca_file_;
    Make(options);
  }

  // From now on the proxy answers `answer` instead of connecting.
  void Refuse(std::string answer) {
    std::lock_guard lock(mutex_);
    refusal_ = std::move(answer);
  }

  std::vector<std::string> connects() {
    std::lock_guard lock(mutex_);
    return connects_;
  }

  std::mutex mutex_;
  std::vector<std::string> connects_;  // heads of what the proxy was asked
  std::string refusal_;                // what it answers instead of connecting
  std::string ca_file_;
  ScriptedReceiver proxy_{[this](ScriptedPeer& peer) {
    const std::string head = peer.ReadUntil("\r\n\r\n");
    if (head.empty()) return;
    std::string refusal;  // a copy: the test goes on as soon as it has read the answer
    {
      std::lock_guard lock(mutex_);
      connects_.push_back(head);
      refusal = refusal_;
    }
    if (!refusal.empty()) {
      peer.Write(refusal);
      return peer.HalfClose();
    }
    const std::string target = head.substr(8, head.find(' ', 8) - 8);
    const int other = ConnectTo(target);
    if (other < 0) {
      peer.Write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
      return peer.HalfClose();
    }
    peer.Write("HTTP/1.1 200 Connected\r\nX-Proxy: yes\r\n\r\n");
    Relay(peer, other);
    close(other);
  }};
  DnsResponder dns_{{{"hooks.test", {{"127.0.0.2"}, {}}},
                     {"inside.test", {{"127.0.0.3"}, {}}},
                     {"both.test", {{"127.0.0.3", "127.0.0.2"}, {}}}}};
};

// A receiver at 127.0.0.2, which stands for the world, and at 127.0.0.3, which does not.
class EgressProxyNginxTest : public EgressProxyTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ca_.ok() && ca_.Issue("server", "DNS:hooks.test", 30)) << "openssl is missing";
    ca_file_ = ca_.ca_file();
    absl::StatusOr<std::unique_ptr<NginxFixture>> nginx = NginxFixture::Start(
        "server { listen 127.0.0.1:@PORT@; listen 127.0.0.2:@PORT@ ssl; listen 127.0.0.3:@PORT@;"
        " ssl_certificate " +
        ca_.certificate("server") + "; ssl_certificate_key " + ca_.key("server") +
        ";"
        " location / { return 200 \"$connection $http_host $server_addr $http_x_proxy\"; } }");
    ASSERT_TRUE(nginx.ok()) << nginx.status();
    nginx_ = *std::move(nginx);
    EgressProxyTest::SetUp();
  }

  std::string Url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(nginx_->port()) + "/";
  }

  TestCa ca_;
  std::unique_ptr<NginxFixture> nginx_;
};

TEST_F(EgressProxyNginxTest, ConnectGoesToTheAddressThatWasJudged) {
  HttpRequest request = Request(Url("hooks.test"));
  request.headers.emplace_back("Authorization", "Bearer hush");
  const HttpResult result = Post(std::move(request));
  ASSERT_EQ(result.status, 200) << result.error_detail;
  const std::string port = std::to_string(nginx_->port());
  EXPECT_EQ(result.remote_address, "127.0.0.2:" + port);
  EXPECT_NE(result.body.find("hooks.test:" + port + " 127.0.0.2"), std::string::npos) << result.body;
  EXPECT_EQ(result.headers.find("X-Proxy"), std::string::npos)
      << "the proxy's own headers are none of the answer";
  ASSERT_EQ(connects().size(), 1u);
  const std::string head = connects()[0];
  EXPECT_EQ(head.find("CONNECT 127.0.0.2:" + port + " HTTP/1.1\r\n"), 0u) << head;
  EXPECT_EQ(head.find("hush"), std::string::npos) << head;
  EXPECT_EQ(head.find("hooks.test"), std::string::npos) << head;
  EXPECT_EQ(Post(Url("hooks.test")).status, 200);
  EXPECT_EQ(connects().size(), 1u) << "the connection is kept";
}

TEST_F(EgressProxyNginxTest, WhatIsRefusedNeverReachesTheProxy) {
  EXPECT_EQ(ToString(Post(Url("inside.test")).error), "refused_address");
  EXPECT_EQ(ToString(Post(Url("127.0.0.1")).error), "refused_address")
      << "the proxy's own address is no target";
  EXPECT_EQ(connects().size(), 0u);
  EXPECT_EQ(ToString(Post(Url("both.test")).error), "tls") << "of the other address, whose name it is not";
  ASSERT_EQ(connects().size(), 1u);
  EXPECT_EQ(connects()[0].find("CONNECT 127.0.0.2:"), 0u);
}

TEST_F(EgressProxyTest, PlainHttpGoesThroughATunnelToo) {
  EgressOptions rules;
  rules.allow_loopback = true;
  UseProxy(proxy_.port(), rules);
  HttpReceiver receiver;
  EXPECT_EQ(Post(receiver.Url("/path")).status, 200);
  EXPECT_EQ(receiver.requests()[0].target, "/path?token=hush");
  ASSERT_EQ(connects().size(), 1u);
  EXPECT_EQ(connects()[0].find("CONNECT 127.0.0.1:" + std::to_string(receiver.port()) + " "), 0u);
}

TEST_F(EgressProxyTest, RequestsToHookdItselfGoPastIt) {
  HttpReceiver self;
  HttpRequest request = Request(self.Url());
  request.to_self = true;
  EXPECT_EQ(Post(std::move(request)).status, 200);
  EXPECT_EQ(connects().size(), 0u);
}

TEST_F(EgressProxyTest, WhatTheProxySaysIsToldApart) {
  const std::string url = "http://hooks.test:9/";
  HttpResult result = Post(url);
  EXPECT_EQ(ToString(result.error), "connect");
  EXPECT_EQ(result.error_detail, "the egress proxy could not connect (status 502)");
  for (const char* status :
       {"403 Forbidden", "407 Proxy Authentication Required", "404 Not Found", "302 Found"}) {
    Refuse(std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 0\r\n\r\n");
    result = Post(url);
    EXPECT_EQ(ToString(result.error), "local") << status;
    EXPECT_EQ(result.error_detail.find("the egress proxy refused (status "), 0u) << result.error_detail;
  }
  Refuse("SSH-2.0-OpenSSH\r\n");
  EXPECT_EQ(ToString(Post(url).error), "local");
}

TEST_F(EgressProxyTest, AProxyThatIsDownIsOurOwnTrouble) {
  uint16_t port = 0;
  { port = HttpReceiver().port(); }
  UseProxy(port, {});
  const HttpResult result = Post("http://hooks.test:9/");
  EXPECT_EQ(ToString(result.error), "local");
  EXPECT_EQ(result.error_detail, "the egress proxy cannot be reached");
}

TEST_F(EgressProxyTest, AProxyThatIsSilentIsATimeout) {
  ScriptedReceiver silent([](ScriptedPeer& peer) { peer.Drain(); });
  UseProxy(silent.port(), {});
  const HttpResult result = Post("http://hooks.test:9/", Millis(400));
  EXPECT_EQ(ToString(result.error), "timeout");
  EXPECT_LT(result.us.total, 2'000'000);
}

class SourceAddressTest : public TransportFixture {
 protected:
  void From(const char* v4, const char* v6) {
    CurlTransportOptions options;
    if (v4 != nullptr) options.path.source_v4 = ParseIp(v4);
    if (v6 != nullptr) options.path.source_v6 = ParseIp(v6);
    options.dns_servers = {dns_.address()};
    Make(options);
  }

  std::string peer_;  // written before the answer that the test waits for
  ScriptedReceiver receiver_{[this](ScriptedPeer& peer) {
    peer.ReadRequest();
    peer_ = PeerOf(peer.fd());
    peer.Write("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    peer.HalfClose();
  }};
  DnsResponder dns_{{{"six.test", {{}, {"::1"}}}, {"both.test", {{"127.0.0.1"}, {"::1"}}}}};
};

TEST_F(SourceAddressTest, ConnectionsComeFromIt) {
  EXPECT_EQ(Post(receiver_.Url()).status, 204);
  EXPECT_EQ(peer_, "127.0.0.1");
  From("127.0.0.7", nullptr);
  EXPECT_EQ(Post(receiver_.Url()).status, 204);
  EXPECT_EQ(peer_, "127.0.0.7");
}

TEST_F(SourceAddressTest, AFamilyWithoutOneIsNotUsed) {
  From("127.0.0.7", nullptr);
  const std::string port = ":" + std::to_string(receiver_.port()) + "/";
  const HttpResult result = Post("http://six.test" + port);
  EXPECT_EQ(ToString(result.error), "local");
  EXPECT_EQ(result.error_detail, "no egress.source_addresses has the family of the host's addresses");
  EXPECT_EQ(Post("http://both.test" + port).status, 204);
  EXPECT_EQ(peer_, "127.0.0.7");
}

TEST_F(SourceAddressTest, AnAddressThatIsNotThisMachinesIsOurOwnTrouble) {
  From("192.0.2.1", nullptr);
  EXPECT_EQ(ToString(Post(receiver_.Url()).error), "local");
}

}  // namespace
}  // namespace hookd::testing
