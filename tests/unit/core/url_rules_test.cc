#include "dispatcher/core/url_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Good {
  std::string url, scheme, host;
  uint16_t port;
  bool is_ip;
};

TEST(UrlRulesTest, TakesHttpAndHttps) {
  const Good cases[] = {
      {"https://example.com/hook", "https", "example.com", 443, false},
      {"http://example.com", "http", "example.com", 80, false},
      {"HTTPS://ExAmple.COM:8443/Hook?Key=a%20b&c=d", "https", "example.com", 8443, false},
      {"https://example.com?x=1", "https", "example.com", 443, false},
      {"https://a_b.x-y.example.com/~u/;p=1/@x:y", "https", "a_b.x-y.example.com", 443, false},
      {"http://localhost:1/", "http", "localhost", 1, false},
      {"http://example.com:65535/", "http", "example.com", 65535, false},
      {"https://xn--bcher-kva.example/", "https", "xn--bcher-kva.example", 443, false},
      {"https://1.example.2nd/", "https", "1.example.2nd", 443, false},
      {"http://127.0.0.1:8080/x", "http", "127.0.0.1", 8080, true},
      {"http://[::1]/", "http", "::1", 80, true},
      {"https://[2001:0DB8:0:0:0:0:0:1]:9443/", "https", "2001:db8::1", 9443, true},
      {"https://example.com/a//b/../c", "https", "example.com", 443, false},
      {"https://example.com//b", "https", "example.com", 443, false},
      {"https://10.0.0.1.example.com/", "https", "10.0.0.1.example.com", 443, false},
      {"https://[::ffff:10.0.0.1]:65535", "https", "::ffff:10.0.0.1", 65535, true},
      {"https://example.com?a=/?:@!$&'()*+,;=%5B", "https", "example.com", 443, false},
  };
  for (const Good& good : cases) {
    SCOPED_TRACE(good.url);
    const absl::StatusOr<ParsedUrl> parsed = ParseUrl(good.url);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->scheme, good.scheme);
    EXPECT_EQ(parsed->host, good.host);
    EXPECT_EQ(parsed->port, good.port);
    EXPECT_EQ(parsed->host_is_ip, good.is_ip);
  }
}

struct Bad {
  std::string url, why;
};

TEST(UrlRulesTest, SaysWhichRuleIsBrokenAndNothingOfTheUrl) {
  const Bad cases[] = {
      {"", "must begin with"},
      {"example.com/hook", "must begin with"},
      {"//example.com/hook", "must begin with"},
      {"ftp://example.com/", "must begin with"},
      {"file:///etc/passwd", "must begin with"},
      {"http:/example.com", "must begin with"},
      {"https:example.com", "must begin with"},
      {"httpsx://example.com", "must begin with"},
      {"javascript://example.com/%0a", "must begin with"},
      {"https://", "has no host"},
      {"https:///path", "has no host"},
      {"https://?token=sesame", "has no host"},
      {"https://:443/", "has no host"},
      {"https://user@example.com/", "user information"},
      {"https://user:sesame@example.com/", "user information"},
      {"https://@example.com/", "user information"},
      {"https://example.com@evil.example/", "user information"},
      {"https://example.com/#sesame", "fragment"},
      {"https://example.com/#", "fragment"},
      {"https://example.com:0/", "port"},
      {"https://example.com:65536/", "port"},
      {"https://example.com:99999999999999999999/", "port"},
      {"https://example.com:0443/", "port"},
      {"https://example.com:/", "port"},
      {"https://example.com:80a/", "port"},
      {"https://example.com:-1/", "port"},
      {"https://example.com:+1/", "port"},
      {"https://example.com:1:2/", "port"},
      {"https://[::1]:/", "port"},
      {"https://example.com/a b", "holds a space"},
      {" https://example.com/", "holds a space"},
      {"https://example.com/\r\nX-Injected: 1", "holds a space"},
      {"https://example.com/\t", "holds a space"},
      {std::string("https://example.com/\0x", 22), "holds a space"},
      {"https://example.com/\x7f", "holds a space"},
      {"https://b\xc3\xbc"
       "cher.example/",
       "punycode"},
      {"https://example.com/%zz", "RFC 3986"},
      {"https://example.com/%4", "RFC 3986"},
      {"https://example.com\\@evil.example/", "user information"},
      {"https://example.com\\.evil.example/", "not a DNS name"},
      {"https://example.com/\\x", "RFC 3986"},
      {"https://example.com/?a=<b>", "RFC 3986"},
      {"https://example.com/?a=\"b\"", "RFC 3986"},
      {"https://[::1/", "IPv6 address in brackets"},
      {"https://[]/", "IPv6 address in brackets"},
      {"https://[/", "IPv6 address in brackets"},
      {"https://[::1::2]/", "IPv6 address in brackets"},
      {"https://[127.0.0.1]/", "IPv6 address in brackets"},
      {"https://::1/", "has no host"},
      {"https://2001:db8::1/", "looks like a number"},
      {"https://[::1]x/", "port"},
      {"https://[fe80::1%25eth0]/", "IPv6 address in brackets"},
      {"https://[v1.x]/", "IPv6 address in brackets"},
      {"https://ex%61mple.com/", "not a DNS name"},
      {"https://example.com%2f@evil.example/", "user information"},
      {"https://a,b.example/", "not a DNS name"},
      {"https://example..com/", "not a DNS name"},
      {"https://.example.com/", "not a DNS name"},
      {"https://example.com./", "not a DNS name"},
      {"http://127.1/", "looks like a number"},
      {"http://2130706433/", "looks like a number"},
      {"http://0x7f000001/", "looks like a number"},
      {"http://0X7F.1/", "looks like a number"},
      {"http://127.0.0.0x1/", "looks like a number"},
      {"http://0177.0.0.1/", "looks like a number"},
      {"http://256.0.0.1/", "looks like a number"},
      {"http://1.2.3.4.5/", "looks like a number"},
      {"http://0/", "looks like a number"},
  };
  for (const Bad& bad : cases) {
    SCOPED_TRACE(bad.url);
    const std::string message = ParseUrl(bad.url).status().ToString();
    EXPECT_THAT(message, StartsWith("INVALID_ARGUMENT: url: "));
    EXPECT_THAT(message, HasSubstr(bad.why));
    EXPECT_THAT(message, Not(HasSubstr("sesame")));
    EXPECT_THAT(message, Not(HasSubstr("example.com")));
  }
}

TEST(UrlRulesTest, BoundsLengths) {
  const std::string begin = "https://example.com/";
  EXPECT_TRUE(ParseUrl(begin + std::string(2048 - begin.size(), 'a')).ok());
  EXPECT_EQ(ParseUrl(begin + std::string(2049 - begin.size(), 'a')).status().ToString(),
            "INVALID_ARGUMENT: url: is longer than 2048 characters");

  EXPECT_TRUE(ParseUrl("https://" + std::string(63, 'a') + ".example/").ok());
  EXPECT_FALSE(ParseUrl("https://" + std::string(64, 'a') + ".example/").ok());

  std::string host;
  for (int i = 0; i < 126; ++i) host += "a.";
  EXPECT_TRUE(ParseUrl("https://" + host + "a/").ok());  // 253 characters
  EXPECT_THAT(ParseUrl("https://" + host + "aa/").status().ToString(), HasSubstr("longer than 253"));
}

}  // namespace
}  // namespace hookd
