// Where the transport connects and where it does not: on literals, on what a name resolves to, on the address
// of the socket itself, and on kept connections.
#include <gtest/gtest.h>

#include "base/ip.h"
#include "dispatcher/transport/exchange.h"
#include "tests/fakes/dns_responder.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

class TransportEgressTest : public TransportFixture {
 protected:
  void Use(std::map<std::string, DnsAnswer> names, EgressOptions egress) {
    dns_ = std::make_unique<DnsResponder>(std::move(names));
    policy_ = std::make_shared<EgressPolicy>(std::move(egress));
    CurlTransportOptions options;
    options.dns_servers = {dns_->address()};
    options.egress = policy_;
    Make(options);
  }

  static EgressOptions Loopback(std::initializer_list<const char*> denied = {}) {
    EgressOptions options;
    options.allow_loopback = true;
    for (const char* text : denied) options.deny_addresses.push_back(ParseCidr(text).value());
    return options;
  }

  static std::string Url(const std::string& host, const HttpReceiver& receiver) {
    return "http://" + host + ":" + std::to_string(receiver.port()) + "/";
  }

  void ExpectRefused(const std::string& url) {
    const HttpResult result = Post(url);
    EXPECT_EQ(result.error, ErrorKind::kRefusedAddress) << url << ": " << result.error_detail;
    EXPECT_EQ(result.error_detail.find("127."), std::string::npos) << result.error_detail;
    EXPECT_EQ(result.remote_address, "") << url;
    EXPECT_EQ(result.us.connect, 0) << url;
  }

  std::unique_ptr<DnsResponder> dns_;
  std::shared_ptr<EgressPolicy> policy_;
};

TEST_F(TransportEgressTest, LiteralsInAnySpellingThatCurlTakes) {
  Use({}, {});
  HttpReceiver receiver;
  const char* hosts[] = {"127.0.0.1",
                         "127.1",
                         "2130706433",
                         "0x7f000001",
                         "0x7f.1",
                         "0177.0.0.1",
                         "0",
                         "0.0.0.0",
                         "127.0.0.1.",
                         "%31%32%37.0.0.1",
                         "localhost",
                         "LOCALHOST.",
                         "[::1]",
                         "[::]",
                         "[::127.0.0.1]",
                         "[::ffff:127.0.0.1]",
                         "[::ffff:7f00:1]",
                         "[64:ff9b::127.0.0.1]",
                         "[2002:7f00:1::]",
                         "[0:0:0:0:0:0:0:1]",
                         "10.0.0.1",
                         "169.254.169.254",
                         "[fe80::1]",
                         "[fd00:ec2::254]",
                         "168.63.129.16"};
  for (const char* host : hosts) {
    SCOPED_TRACE(host);
    const HttpResult result = Post(Url(host, receiver), Millis(2'000));
    // A spelling that is a name to the resolver leads nowhere.
    EXPECT_TRUE(result.error == ErrorKind::kRefusedAddress || result.error == ErrorKind::kName)
        << result.error_detail;
    EXPECT_EQ(result.remote_address, "");
  }
  EXPECT_EQ(receiver.connection_count(), 0u);
}

TEST_F(TransportEgressTest, ANameIsJudgedByItsAddresses) {
  Use({{"inside.test", {{"127.0.0.1"}, {}}},
       {"metadata.test", {{"169.254.169.254"}, {}}},
       {"many.test",
        {{"10.0.0.1", "192.168.0.1", "172.16.0.1", "127.0.0.1", "100.64.0.1"}, {"::1", "fe80::1"}}},
       {"mapped.test", {{}, {"::ffff:127.0.0.1", "64:ff9b::7f00:1"}}}},
      {});
  HttpReceiver receiver;
  for (const char* host : {"inside.test", "metadata.test", "many.test", "mapped.test"}) {
    ExpectRefused(Url(host, receiver));
  }
  EXPECT_EQ(receiver.connection_count(), 0u);
}

// More refused ones than an attempt tries.
TEST_F(TransportEgressTest, RefusedAddressesAreLeftOutAndTheOthersTried) {
  Use({{"mixed.test",
        {{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "127.0.0.9", "127.0.0.1"}, {}}}},
      Loopback({"127.0.0.9"}));
  HttpReceiver receiver;
  const HttpResult result = Post(Url("mixed.test", receiver));
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.remote_address, "127.0.0.1:" + std::to_string(receiver.port()));
}

// The name leads to an allowed address first, and to a refused one when it is asked again.
TEST_F(TransportEgressTest, ANameThatChangesItsAnswerGainsNothing) {
  DnsAnswer good{{"127.0.0.1"}, {}};
  good.ttl = 0;
  Use({{"rebound.test", good}}, Loopback({"127.0.0.2"}));
  HttpReceiver receiver([](const ReceivedRequest&) {
    ReceiverAnswer answer;
    answer.then = ReceiverAnswer::Then::kClose;
    return answer;
  });
  EXPECT_EQ(Post(Url("rebound.test", receiver)).status, 200);
  DnsAnswer bad{{"127.0.0.2"}, {}};
  bad.ttl = 0;
  dns_->Set("rebound.test", bad);
  HttpResult result;
  do {  // until the first answer has left the cache, a second later
    result = Post(Url("rebound.test", receiver));
    EXPECT_NE(result.remote_address.substr(0, 10), "127.0.0.2:");
  } while (dns_->queries("rebound.test") == 2);
  EXPECT_EQ(result.error, ErrorKind::kRefusedAddress);
}

TEST_F(TransportEgressTest, ReloadedListsActOnKeptConnections) {
  Use({{"kept.test", {{"127.0.0.1"}, {}}}}, Loopback());
  HttpReceiver receiver;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Post(Url("kept.test", receiver)).status, 200);
  EXPECT_EQ(receiver.connection_count(), 1u);
  policy_->Set(Loopback({"127.0.0.1"}));
  ExpectRefused(Url("kept.test", receiver));
  ExpectRefused(Url("127.0.0.1", receiver));
  policy_->Set(Loopback());
  EXPECT_EQ(Post(Url("kept.test", receiver)).status, 200);
  EXPECT_EQ(receiver.request_count(), 3u);
}

TEST_F(TransportEgressTest, HostsAndPorts) {
  EgressOptions options = Loopback();
  options.deny_hosts = {"evil.test"};
  HttpReceiver receiver;
  HttpReceiver other;
  options.deny_ports = {other.port()};
  Use({{"a.evil.test", {{"127.0.0.1"}, {}}}, {"good.test", {{"127.0.0.1"}, {}}}}, options);
  ExpectRefused(Url("a.EVIL.test", receiver));
  EXPECT_EQ(dns_->queries("a.evil.test"), 0u) << "not even asked for";
  ExpectRefused(Url("good.test", other));
  EXPECT_EQ(Post(Url("good.test", receiver)).status, 200);
}

TEST_F(TransportEgressTest, WithoutAPolicyTheRulesAreStrict) {
  CurlTransportOptions options;
  options.dns_servers = {no_names_.address()};
  transport_ = MakeCurlTransport(io_, options, RealClock());
  HttpReceiver receiver;
  ExpectRefused(receiver.Url());
  transport_.reset();
}

// The two last checks alone: what the exchange is told to connect to is not what it looks at.
class ExchangeEgressTest : public TransportEgressTest {
 protected:
  ExchangeSettings settings_;

  HttpResult Perform(const std::string& address, const HttpReceiver& receiver,
                     Exchange::MayConnect may_connect) {
    Exchange exchange(
        RealClock(), settings_, [](Exchange&) {}, std::move(may_connect), [](curl_socket_t) {});
    exchange.Begin(Request(receiver.Url()), [](HttpResult) {});
    exchange.target = std::make_shared<const Target>(*ParseTarget(receiver.Url()));
    EXPECT_TRUE(exchange.Prepare(address, Millis(2'000), Millis(2'000)));
    return exchange.Result(curl_easy_perform(exchange.easy()));
  }
};

TEST_F(ExchangeEgressTest, TheSocketsOwnAddressIsJudged) {
  HttpReceiver receiver;
  for (const char* spelling : {"127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1"}) {
    std::vector<Ip> asked;
    const HttpResult result = Perform(spelling, receiver, [&](const Ip& ip) {
      asked.push_back(ip);
      return false;
    });
    EXPECT_EQ(result.error, ErrorKind::kRefusedAddress) << spelling;
    ASSERT_EQ(asked.size(), 1u) << spelling;
    EXPECT_EQ(ToString(asked[0]), "127.0.0.1") << spelling;
  }
  EXPECT_EQ(receiver.connection_count(), 0u);
}

TEST_F(ExchangeEgressTest, AConnectionElsewhereIsGivenUpBeforeTheRequest) {
  HttpReceiver receiver;
  int asked = 0;
  const HttpResult result = Perform("127.1", receiver, [&](const Ip&) { return ++asked == 1; });
  EXPECT_EQ(asked, 2) << "once for the socket, once before the request";
  EXPECT_EQ(result.error, ErrorKind::kRefusedAddress);
  EXPECT_EQ(receiver.request_count(), 0u);
}

}  // namespace
}  // namespace hookd::testing
