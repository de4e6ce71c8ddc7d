#include "dispatcher/transport/resolver.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "dispatcher/transport/curl_transport.h"
#include "tests/fakes/dns_responder.h"

namespace hookd::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class StillClock : public Clock {
 public:
  WallMs Wall() const override { return 0; }
  SteadyTime Steady() const override { return now; }
  SteadyTime now = SteadyTime(std::chrono::hours(1));
};

class ResolverTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitCurl(); }

  void Use(std::map<std::string, DnsAnswer> names) {
    dns_ = std::make_unique<DnsResponder>(std::move(names));
    resolver_.emplace(io_, clock_, std::vector<std::string>{dns_->address()});
  }

  Resolution Resolve(const std::string& name) {
    std::optional<Resolution> answer;
    resolver_->Resolve(name, [&](const Resolution& r) { answer = r; });
    EXPECT_FALSE(answer) << "answered inside Resolve";
    io_.restart();
    auto deadline = RealClock().Steady() + std::chrono::seconds(20);
    while (!answer && RealClock().Steady() < deadline) io_.run_one_until(deadline);
    EXPECT_TRUE(answer);
    return answer.value_or(Resolution{});
  }

  boost::asio::io_context io_{1};
  StillClock clock_;
  std::unique_ptr<DnsResponder> dns_;
  std::optional<Resolver> resolver_;
};

TEST_F(ResolverTest, FindsBothFamilies) {
  Use({{"both.test", {{"127.0.0.1", "127.0.0.2"}, {"::1"}}}});
  Resolution answer = Resolve("both.test");
  EXPECT_EQ(answer.error, ErrorKind::kNone);
  EXPECT_THAT(*answer.addresses, UnorderedElementsAre("127.0.0.1", "127.0.0.2", "::1"));
}

TEST_F(ResolverTest, FindsV6Alone) {
  Use({{"six.test", {{}, {"::1"}}}});
  EXPECT_THAT(*Resolve("six.test").addresses, ElementsAre("::1"));
}

TEST_F(ResolverTest, CachesForTheTtlWithinItsClamp) {
  DnsAnswer none{{"127.0.0.1"}, {}, /*ttl=*/0};
  DnsAnswer ten{{"127.0.0.1"}, {}, /*ttl=*/10};
  DnsAnswer long_lived{{"127.0.0.1"}, {}, /*ttl=*/3'600};
  Use({{"none.test", none}, {"ten.test", ten}, {"long.test", long_lived}});
  for (auto [name, seconds] :
       {std::pair("none.test", 1), std::pair("ten.test", 10), std::pair("long.test", 60)}) {
    EXPECT_EQ(resolver_->Known(name), nullptr);
    Resolve(name);
    clock_.now += std::chrono::seconds(seconds) - std::chrono::milliseconds(1);
    EXPECT_NE(resolver_->Known(name), nullptr) << name;
    clock_.now += std::chrono::milliseconds(1);
    EXPECT_EQ(resolver_->Known(name), nullptr) << name;
  }
}

TEST_F(ResolverTest, FailuresAreNotCached) {
  Use({});
  EXPECT_EQ(Resolve("nobody.test").error, ErrorKind::kName);
  size_t asked = dns_->queries("nobody.test");
  EXPECT_GT(asked, 0u);
  EXPECT_EQ(Resolve("nobody.test").error, ErrorKind::kName);
  EXPECT_EQ(dns_->queries("nobody.test"), 2 * asked);
}

TEST_F(ResolverTest, LookupsOfOneNameShareAQuery) {
  Use({{"one.test", {{"127.0.0.1"}, {}}}});
  int answered = 0;
  for (int i = 0; i < 10; ++i) resolver_->Resolve("one.test", [&](const Resolution&) { ++answered; });
  Resolve("ONE.test");
  EXPECT_EQ(answered, 10);
  EXPECT_EQ(dns_->queries("one.test"), 2u) << "one for A, one for AAAA";
}

TEST_F(ResolverTest, DemotedAddressComesLast) {
  Use({{"many.test", {{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, {}}}});
  std::vector<std::string> order = *Resolve("many.test").addresses;
  ASSERT_EQ(order.size(), 3u);
  resolver_->Demote("many.test", order[0]);
  EXPECT_THAT(*resolver_->Known("many.test"), ElementsAre(order[1], order[2], order[0]));
}

TEST_F(ResolverTest, AFailingNameIsItsOwnersTroubleWhileOthersAreAnswered) {
  DnsAnswer failing;
  failing.rcode = 2;
  DnsAnswer refusing;
  refusing.rcode = 5;
  Use({{"failing.test", failing}, {"refusing.test", refusing}, {"good.test", {{"127.0.0.1"}, {}}}});
  EXPECT_EQ(Resolve("failing.test").error, ErrorKind::kLocal);
  EXPECT_EQ(Resolve("localhost").error, ErrorKind::kNone);
  EXPECT_EQ(Resolve("failing.test").error, ErrorKind::kLocal) << "/etc/hosts says nothing of name servers";
  for (const char* other : {"good.test", "nobody.test"}) {
    Resolve(other);
    EXPECT_EQ(Resolve("failing.test").error, ErrorKind::kName) << other;
    EXPECT_EQ(Resolve("REFUSING.test").error, ErrorKind::kName) << other;
    EXPECT_EQ(resolver_->KindOfSilence("silent.test"), ErrorKind::kName);
    clock_.now += kAnsweredLately;
    Resolution answer = Resolve("failing.test");
    EXPECT_EQ(answer.error, ErrorKind::kName) << other << ": " << answer.detail;
    clock_.now += std::chrono::milliseconds(1);
    EXPECT_EQ(Resolve("failing.test").error, ErrorKind::kLocal) << other;
  }
}

TEST_F(ResolverTest, ANameIsNoWitnessForItself) {
  Use({{"a.test", {{"127.0.0.1"}, {}}}, {"b.test", {{"127.0.0.1"}, {}}}});
  Resolve("a.test");
  EXPECT_EQ(resolver_->KindOfSilence("A.test"), ErrorKind::kLocal);
  Resolve("b.test");
  EXPECT_EQ(resolver_->KindOfSilence("a.test"), ErrorKind::kName);
  EXPECT_EQ(resolver_->KindOfSilence("b.test"), ErrorKind::kName);
}

class ResolvConfTest : public ResolverTest {
 protected:
  ResolvConfTest() : file_(::testing::TempDir() + "hookd-resolv-conf-" + std::to_string(getpid())) {}
  ~ResolvConfTest() override { std::remove(file_.c_str()); }

  // As the tools do it that write this file: a new one in the place of the old.
  void Write(const std::string& text) {
    std::ofstream(file_ + ".new") << text;
    std::rename((file_ + ".new").c_str(), file_.c_str());
  }
  // The file gives no port: all servers listen on the responder's.
  void Open(const DnsResponder& dns) {
    resolver_.emplace(io_, clock_, std::vector<std::string>{}, file_, PortOf(dns));
  }
  static uint16_t PortOf(const DnsResponder& dns) {
    return static_cast<uint16_t>(std::stoi(dns.address().substr(dns.address().find(':') + 1)));
  }

  const std::string file_;
};

TEST_F(ResolvConfTest, SearchListsDoNotCount) {
  DnsResponder dns(
      {{"hooks.foreign.test", {{"127.0.0.1"}, {}}}, {"hooks.test.foreign.test", {{"127.0.0.1"}, {}}}});
  Write("nameserver 127.0.0.1\nsearch foreign.test\noptions ndots:5\n");
  Open(dns);
  EXPECT_EQ(Resolve("hooks.test").error, ErrorKind::kName);
  EXPECT_EQ(Resolve("hooks").error, ErrorKind::kName);
  EXPECT_GT(dns.queries("hooks.test"), 0u);
  EXPECT_EQ(dns.queries("hooks.test.foreign.test"), 0u);
  EXPECT_EQ(dns.queries("hooks.foreign.test"), 0u);
}

TEST_F(ResolvConfTest, AChangedFileIsReadAnewAndLookupsMoveOver) {
  DnsResponder dns({{"slow.test", {{"127.0.0.1"}, {}}}, {"quick.test", {{"127.0.0.2"}, {}}}});
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(PortOf(dns));
  inet_pton(AF_INET, "127.0.0.2", &address.sin_addr);
  int deaf = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);  // the old name server: never answers
  ASSERT_EQ(bind(deaf, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  Write("nameserver 127.0.0.2\n");
  Open(dns);
  Resolution slow;
  resolver_->Resolve("slow.test", [&](const Resolution& r) { slow = r; });
  io_.poll();
  Write("nameserver 127.0.0.1\n");
  EXPECT_THAT(*Resolve("quick.test").addresses, ElementsAre("127.0.0.2"));
  io_.restart();
  auto deadline = RealClock().Steady() + std::chrono::seconds(20);
  while (slow.addresses == nullptr && RealClock().Steady() < deadline) io_.run_one_until(deadline);
  ASSERT_NE(slow.addresses, nullptr);
  EXPECT_THAT(*slow.addresses, ElementsAre("127.0.0.1"));
  close(deaf);
}

TEST_F(ResolverTest, DestructionRunsNoCallback) {
  DnsAnswer silent;
  silent.silent = true;
  Use({{"silent.test", silent}});
  bool called = false;
  resolver_->Resolve("silent.test", [&](const Resolution&) { called = true; });
  resolver_->Resolve("localhost", [&](const Resolution&) { called = true; });  // answered, but not yet told
  resolver_.reset();
  io_.poll();
  EXPECT_FALSE(called);
}

TEST_F(ResolverTest, KeepsABoundedNumberOfNames) {
  constexpr size_t kNames = kMaxCachedNames + 50;
  std::map<std::string, DnsAnswer> names;
  for (size_t i = 0; i < kNames; ++i) names["n" + std::to_string(i) + ".test"] = {{"127.0.0.1"}, {}};
  Use(std::move(names));
  for (size_t i = 0; i < kNames; i += 50) {
    size_t answered = 0;
    for (size_t j = i; j < i + 50; ++j) {
      resolver_->Resolve("n" + std::to_string(j) + ".test", [&](const Resolution& r) {
        ++answered;
        ASSERT_EQ(r.error, ErrorKind::kNone) << r.detail;
      });
    }
    io_.restart();
    while (answered < 50) io_.run_one();
  }
  size_t known = 0;
  for (size_t i = 0; i < kNames; ++i) known += resolver_->Known("n" + std::to_string(i) + ".test") != nullptr;
  EXPECT_EQ(known, kMaxCachedNames);
}

}  // namespace
}  // namespace hookd::testing
