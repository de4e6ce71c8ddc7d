// Names on their way through the transport: what a resolver's answer, or silence, makes of an exchange.
#include <gtest/gtest.h>

#include "tests/fakes/dns_responder.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

class TransportNamesTest : public TransportFixture {
 protected:
  void UseDns(std::map<std::string, DnsAnswer> names) {
    dns_ = std::make_unique<DnsResponder>(std::move(names));
    CurlTransportOptions options;
    options.dns_servers = {dns_->address()};
    Make(options);
  }

  static std::string Url(const std::string& name, const HttpReceiver& receiver) {
    return "http://" + name + ":" + std::to_string(receiver.port()) + "/";
  }

  std::unique_ptr<DnsResponder> dns_;
};

TEST_F(TransportNamesTest, ResolvesAndKeepsTheNameInTheRequest) {
  UseDns({{"hooks.test", {{"127.0.0.1"}, {}}}});
  HttpReceiver receiver;
  HttpResult result = Post(Url("hooks.test", receiver));
  EXPECT_EQ(result.status, 200);
  EXPECT_GT(result.us.name, 0);
  EXPECT_EQ(result.remote_address, "127.0.0.1:" + std::to_string(receiver.port()));
  EXPECT_EQ(receiver.requests()[0].Header("host"), "hooks.test:" + std::to_string(receiver.port()));
}

TEST_F(TransportNamesTest, AsksOncePerTtlAndSharesConnectionsByAddress) {
  UseDns({{"a.test", {{"127.0.0.1"}, {}}}, {"b.test", {{"127.0.0.1"}, {}}}});
  HttpReceiver receiver;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Post(Url("A.test", receiver)).status, 200);
  EXPECT_EQ(dns_->queries("a.test"), 2u) << "one for A, one for AAAA";
  EXPECT_EQ(Post(Url("b.test", receiver)).status, 200);
  EXPECT_EQ(receiver.requests()[3].Header("host"), "b.test:" + std::to_string(receiver.port()));
}

TEST_F(TransportNamesTest, HostsFileComesFirst) {
  UseDns({});
  HttpReceiver receiver;
  EXPECT_EQ(Post(Url("localhost", receiver)).status, 200);
  EXPECT_EQ(dns_->queries("localhost"), 0u);
}

TEST_F(TransportNamesTest, UnknownNameIsName) {
  UseDns({{"empty.test", {}}});
  HttpResult result = Post("http://nobody.test/");
  EXPECT_EQ(result.error, ErrorKind::kName);
  EXPECT_EQ(result.error_detail, "name does not exist");
  result = Post("http://empty.test/");
  EXPECT_EQ(result.error, ErrorKind::kName);
  EXPECT_EQ(result.error_detail, "name has no address");
}

TEST_F(TransportNamesTest, FailingServerIsLocal) {
  DnsAnswer failing;
  failing.rcode = 2;
  DnsAnswer refusing;
  refusing.rcode = 5;
  UseDns({{"failing.test", failing}, {"refusing.test", refusing}});
  EXPECT_EQ(Post("http://failing.test/").error, ErrorKind::kLocal);
  EXPECT_EQ(Post("http://refusing.test/").error, ErrorKind::kLocal);
}

TEST_F(TransportNamesTest, SilentServerIsLocalAtTheDeadline) {
  UseDns({{"silent.test", Silent()}, {"loud.test", {{"127.0.0.1"}, {}}}});
  HttpReceiver receiver;
  HttpResult result = Post("http://silent.test/", Millis(300));
  EXPECT_EQ(result.error, ErrorKind::kLocal);
  EXPECT_GE(result.us.total, 299'000);
  EXPECT_LT(result.us.total, 2'000'000);
  EXPECT_EQ(Post(Url("loud.test", receiver)).status, 200);
}

TEST_F(TransportNamesTest, ASlowNameDelaysNoOther) {
  UseDns({{"silent.test", Silent()}, {"loud.test", {{"127.0.0.1"}, {}}}});
  HttpReceiver receiver;
  bool slow_done = false;
  transport_->Send(Request("http://silent.test/", Millis(20'000)), [&](HttpResult) { slow_done = true; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Post(Url("loud.test", receiver)).status, 200);
  EXPECT_FALSE(slow_done);
}

TEST_F(TransportNamesTest, DeadServerIsLocal) {
  HttpReceiver closed;  // a port where nothing listens for UDP
  CurlTransportOptions options;
  options.dns_servers = {"127.0.0.1:" + std::to_string(closed.port())};
  Make(options);
  HttpResult result = Post("http://hooks.test/", Millis(5'000));
  EXPECT_EQ(result.error, ErrorKind::kLocal);
}

TEST_F(TransportNamesTest, UnusableServerListIsLocal) {
  CurlTransportOptions options;
  options.dns_servers = {"not an address"};
  Make(options);
  EXPECT_EQ(Post("http://hooks.test/").error, ErrorKind::kLocal);
}

TEST_F(TransportNamesTest, TriesTheNextAddress) {
  UseDns({{"both.test", {{"127.0.0.1"}, {"::1"}}}});
  HttpReceiver v4;
  EXPECT_EQ(Post(Url("both.test", v4)).status, 200);
  std::unique_ptr<HttpReceiver> v6;
  try {
    HttpReceiver::Options options;
    options.ipv6 = true;
    v6 = std::make_unique<HttpReceiver>(nullptr, options);
  } catch (const std::exception&) {
    GTEST_SKIP() << "no IPv6 loopback here";
  }
  HttpResult result = Post(Url("both.test", *v6));
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.remote_address, "[::1]:" + std::to_string(v6->port()));
  EXPECT_EQ(result.resends, 0u);
}

TEST_F(TransportNamesTest, RefusedAtEveryAddressIsConnect) {
  UseDns({{"many.test", {{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}, {}}}});
  HttpReceiver receiver;
  receiver.Stop();
  HttpResult result = Post(Url("many.test", receiver));
  EXPECT_EQ(result.error, ErrorKind::kConnect);
  EXPECT_EQ(result.error_detail, "connection refused");
}

TEST_F(TransportNamesTest, AUrlWithoutAHostIsName) {
  EXPECT_EQ(Post("mailto:someone").error, ErrorKind::kName);
  EXPECT_EQ(Post("ftp://127.0.0.1/").error, ErrorKind::kName);
}

}  // namespace
}  // namespace hookd::testing
