// The address suite: each special-purpose range at its edges, what other forms embed, and every odd spelling
// of a refused address that a URL may hold. The counts of cases are printed.
#include "dispatcher/core/address_rules.h"

#include <iostream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "dispatcher/core/egress_rules.h"

namespace hookd {
namespace {

Ip At(const std::string& text) {
  const std::optional<Ip> ip = ParseIp(text);
  EXPECT_TRUE(ip) << text;
  return ip.value_or(Ip{});
}

Ip Last(const Cidr& cidr) {
  Ip last = cidr.base;
  for (int bit = cidr.prefix; bit < (last.v6 ? 128 : 32); ++bit) {
    last.bytes[static_cast<size_t>(bit / 8)] |= static_cast<uint8_t>(0x80 >> (bit % 8));
  }
  return last;
}

// The next address, or the one before; empty beyond the first and last.
std::optional<Ip> Step(Ip ip, bool up) {
  for (size_t i = ip.v6 ? 16 : 4; i-- > 0;) {
    if (up ? ++ip.bytes[i] != 0 : ip.bytes[i]-- != 0) return ip;
  }
  return std::nullopt;
}

// Every range by hand, apart from the table under test, with what lies just outside.
struct Range {
  const char* cidr;
  bool before_public;
  bool after_public;
};

constexpr Range kRanges[] = {
    {"0.0.0.0/8", false, true},        {"10.0.0.0/8", true, true},
    {"100.64.0.0/10", true, true},     {"127.0.0.0/8", true, true},
    {"168.63.129.16/32", true, true},  {"169.254.0.0/16", true, true},
    {"172.16.0.0/12", true, true},     {"192.0.0.0/24", true, true},
    {"192.0.2.0/24", true, true},      {"192.31.196.0/24", true, true},
    {"192.52.193.0/24", true, true},   {"192.88.99.0/24", true, true},
    {"192.168.0.0/16", true, true},    {"192.175.48.0/24", true, true},
    {"198.18.0.0/15", true, true},     {"198.51.100.0/24", true, true},
    {"203.0.113.0/24", true, true},    {"224.0.0.0/4", true, false},
    {"240.0.0.0/4", false, false},     {"255.255.255.255/32", false, false},
    {"::/128", false, false},          {"::1/128", false, false},
    {"::/96", false, false},           {"::ffff:0:0:0/96", false, false},
    {"64:ff9b:1::/48", false, false},  {"100::/64", false, false},
    {"100:0:0:1::/64", false, false},  {"::/3", false, true},
    {"2001:1::/32", false, false},     {"2001:2::/48", false, false},
    {"2001:10::/28", false, false},    {"2001:20::/28", false, false},
    {"2001:1f0::/28", false, true},    {"2001:db8::/32", true, true},
    {"2620:4f:8000::/48", true, true}, {"3fff::/20", true, true},
    {"4000::/3", true, false},         {"5f00::/16", false, false},
    {"fc00::/7", false, false},        {"fe80::/10", false, false},
    {"fec0::/10", false, false},       {"ff00::/8", false, false},
};

TEST(AddressRulesTest, EveryRangeIsRefusedFromItsFirstToItsLast) {
  const EgressRules rules;
  int cases = 0;
  const auto expect = [&](const Ip& ip, bool is_public) {
    ++cases;
    EXPECT_EQ(rules.RefuseAddress(ip).empty(), is_public) << ToString(ip) << ": " << rules.RefuseAddress(ip);
  };
  for (const Range& range : kRanges) {
    SCOPED_TRACE(range.cidr);
    const Cidr cidr = ParseCidr(range.cidr).value();
    expect(cidr.base, false);
    expect(Last(cidr), false);
    if (const std::optional<Ip> before = Step(cidr.base, false)) expect(*before, range.before_public);
    if (const std::optional<Ip> after = Step(Last(cidr), true)) expect(*after, range.after_public);
    if (cidr.base.v6) continue;
    // The same four, as mapped and as NAT64 addresses.
    for (const char* prefix : {"::ffff:", "64:ff9b::"}) {
      expect(At(prefix + ToString(cidr.base)), false);
      expect(At(prefix + ToString(Last(cidr))), false);
      if (const std::optional<Ip> ip = Step(cidr.base, false))
        expect(At(prefix + ToString(*ip)), range.before_public);
      if (const std::optional<Ip> ip = Step(Last(cidr), true))
        expect(At(prefix + ToString(*ip)), range.after_public);
    }
  }
  std::cout << "addresses tried at the edges of ranges: " << cases << "\n";
}

TEST(AddressRulesTest, TheTableIsCoveredByTheRangesAbove) {
  for (const SpecialRange& special : SpecialRanges()) {
    bool covered = false;
    for (const Range& range : kRanges) {
      const Cidr cidr = ParseCidr(range.cidr).value();
      covered |= cidr.Contains(special.cidr.base) || special.cidr.Contains(cidr.base);
    }
    EXPECT_TRUE(covered) << ToString(special.cidr.base) << "/" << special.cidr.prefix;
  }
}

TEST(AddressRulesTest, PublicAddressesArePublic) {
  const EgressRules rules;
  for (const char* text :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "93.184.216.34", "223.255.255.255",
        "2000::", "2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::", "2001:4860:4860::8888"}) {
    EXPECT_EQ(rules.RefuseAddress(At(text)), "") << text;
  }
}

TEST(AddressRulesTest, MetadataServicesAreRefused) {
  const EgressRules rules;
  for (const char* text : {"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23",
                           "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23",
                           "fd20:ce::254", "fe80::a9fe:a9fe", "::ffff:169.254.169.254",
                           "64:ff9b::169.254.169.254", "64:ff9b::168.63.129.16", "::ffff:168.63.129.16"}) {
    EXPECT_NE(rules.RefuseAddress(At(text)), "") << text;
  }
}

TEST(AddressRulesTest, WhatIsEmbeddedCounts) {
  const EgressRules rules;
  struct Case {
    const char* ip;
    bool allowed;
  };
  const Case cases[] = {
      {"::ffff:8.8.8.8", true},
      {"::ffff:127.0.0.1", false},
      {"64:ff9b::8.8.8.8", true},
      {"64:ff9b::10.1.2.3", false},
      {"64:ff9b:1::8.8.8.8", false},  // a translator of one's own, so not public
      {"::8.8.8.8", false},
      {"::127.0.0.1", false},
      {"::ffff:0:8.8.8.8", false},
      {"2002:808:808::1", true},       // 6to4 of 8.8.8.8
      {"2002:7f00:1::1", false},       // of 127.0.0.1
      {"2002:a9fe:a9fe::", false},     // of 169.254.169.254
      {"2002:a00:1::808:808", false},  // of 10.0.0.1
      // Teredo: the server, and the client with its bits turned.
      {"2001:0:808:808::f7f7:f7f7", true},   // 8.8.8.8, 8.8.8.8
      {"2001:0:808:808::80ff:fffe", false},  // 8.8.8.8, 127.0.0.1
      {"2001:0:a00:1::f7f7:f7f7", false},    // 10.0.0.1, 8.8.8.8
      // ISATAP, in any network.
      {"2600::5efe:8.8.8.8", true},
      {"2600::5efe:10.0.0.1", false},
      {"2600::200:5efe:192.168.0.1", false},
      {"2600::200:5efe:8.8.4.4", true},
      {"2600:0:0:1:0:5efe:7f00:1", false},
      {"2002:808:808::5efe:10.0.0.1", false},  // 6to4 and ISATAP at once
      {"fe80::5efe:8.8.8.8", false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(rules.RefuseAddress(At(one.ip)).empty(), one.allowed) << one.ip;
  }
}

TEST(AddressRulesTest, AnAllowedTranslatorDoesNotOpenWhatIsBehindIt) {
  EgressOptions options;
  options.allow_addresses = {ParseCidr("64:ff9b:1::/48").value()};
  const EgressRules rules(options);
  EXPECT_EQ(rules.RefuseAddress(At("64:ff9b:1::8.8.8.8")), "");
  EXPECT_EQ(rules.RefuseAddress(At("64:ff9b:1::10.0.0.1")), "private");
  EXPECT_EQ(rules.RefuseAddress(At("64:ff9b:1:808:8:800::")), "");         // RFC 6052 with a /48: 8.8.8.8
  EXPECT_EQ(rules.RefuseAddress(At("64:ff9b:1:a00:0:100::")), "private");  // 10.0.0.1
}

// Written where a URL has its host. Each means an address that is refused, to some parser or other.
TEST(AddressRulesTest, OddSpellingsAreRefused) {
  const EgressRules rules;
  const char* hosts[] = {
      "127.0.0.1",
      "127.0.0.1.",
      "127.1",
      "127.0.1",
      "127.255.255.254",
      "2130706433",
      "2130706433.",
      "0x7f000001",
      "0X7F000001",
      "0x7f.0.0.1",
      "0x7f.1",
      "0177.0.0.1",
      "017700000001",
      "0177.1",
      "127.0.0.0x1",
      "127.0.0.01",
      "00127.0.0.1",
      "127.0.0.1.0",
      "0",
      "0.",
      "00",
      "0x0",
      "0.0.0.0",
      "0.0",
      "0x",
      "1.0x",
      "127.0x",
      "10.0.0.1",
      "10.1",
      "167772161",
      "0xa000001",
      "012.0.0.1",
      "192.168.1",
      "192.168.257",
      "3232235777",
      "169.254.169.254",
      "2852039166",
      "0xA9FEA9FE",
      "0251.0376.0251.0376",
      "169.254.43518",
      "0xa9.0xfe.0xa9.0xfe",
      "169.16689662",
      "168.63.129.16",
      "100.100.100.200",
      "255.255.255.255",
      "4294967295",
      "4294967296",
      "340282366920938463463374607431768211455",
      "%31%32%37.0.0.1",
      "127%2e0%2e0%2e1",
      "127.0.0.1%00",
      "127.0.0.1%20",
      "127.0.0.1%09",
      "%6c%6f%63alhost",
      "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",  // full-width digits
      "127\xe3\x80\x82"
      "0\xe3\x80\x82"
      "0\xe3\x80\x82"
      "1",  // ideographic full stops
      "127\xef\xbc\x8e"
      "0\xef\xbc\x8e"
      "0\xef\xbc\x8e"
      "1",  // full-width full stops
      "127\xef\xbd\xa1"
      "0.0.1",                                       // half-width ideographic full stop
      "\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1",  // digits in circles
      "\xe2\x93\x9b\xe2\x93\x9e\xe2\x93\x92\xe2\x93\x90\xe2\x93\x9b\xe2\x93\x97\xe2\x93\x9e\xe2\x93\xa2\xe2"
      "\x93\xa3",  // letters in circles
      "localhost",
      "LOCALHOST",
      "localhost.",
      "a.localhost",
      "a.b.LocalHost",
      "127.0.0.1\t",
      " 127.0.0.1",
      "127.0.0.1 ",
      "127.0.0.1\r\n",
      "127.0.0.1\\",
      "8.8.8.8\\@127.0.0.1",
      "8.8.8.8@127.0.0.1",
      "8.8.8.8:80@127.0.0.1",
      "127.0.0.1#@8.8.8.8",
      "127.0.0.1:0x50",
      "127.0.0.1:",
      "[127.0.0.1]",
      "[0x7f.1]",
      "[::1]",
      "[::1].",
      "[0:0:0:0:0:0:0:1]",
      "[0000::0001]",
      "[::]",
      "[0::0]",
      "[::127.0.0.1]",
      "[::7f00:1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::FFFF:7F00:0001]",
      "[0:0:0:0:0:ffff:127.0.0.1]",
      "[::ffff:0:127.0.0.1]",
      "[::ffff:10.0.0.1]",
      "[::ffff:169.254.169.254]",
      "[64:ff9b::127.0.0.1]",
      "[64:ff9b::7f00:1]",
      "[64:ff9b:1::8.8.8.8]",
      "[2002:7f00:1::]",
      "[2002:a00:1::1]",
      "[2001:0:808:808::80ff:fffe]",
      "[2600::5efe:10.0.0.1]",
      "[fe80::1]",
      "[fe80::1%eth0]",
      "[fe80::1%25eth0]",
      "[fe80::1%251]",
      "[2606:4700::1111%25lo]",
      "[::1%25lo]",
      "[fc00::1]",
      "[fd00:ec2::254]",
      "[ff02::1]",
      "[fec0::1]",
      "[2001:db8::1]",
      "[3fff::1]",
      "[::1",
      "::1",
      "[::1]]",
      "[[::1]]",
      "[v1.::1]",
      "[::ffff:127.1]",
      "[::0x1]",
      "[::ffff:0177.0.0.1]",
  };
  int cases = 0;
  for (const char* host : hosts) {
    for (const char* scheme : {"http://", "https://", "HTTP://"}) {
      for (const char* rest : {"/", "", ":8080/x", "?a"}) {
        const std::string url = std::string(scheme) + host + rest;
        const absl::Status status = rules.CheckUrl(url);
        ++cases;
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
        EXPECT_EQ(status.message().substr(0, 5), "url: ") << url;
      }
    }
  }
  std::cout << "spellings tried: " << cases << "\n";
}

TEST(AddressRulesTest, SpellingsOfPublicHostsAreTaken) {
  const EgressRules rules;
  for (const char* host : {"8.8.8.8", "8.8.8.8:8443", "[2606:4700::1111]", "[2606:4700:0:0:0:0:0:1111]:443",
                           "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "example.com", "localhost.example.com",
                           "notlocalhost", "127.0.0.1.example.com", "xn--bcher-kva.example"}) {
    EXPECT_TRUE(rules.CheckUrl("https://" + std::string(host) + "/").ok())
        << host << rules.CheckUrl("https://" + std::string(host) + "/");
  }
}

}  // namespace
}  // namespace hookd
