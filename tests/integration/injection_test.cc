// Whatever a client may put into an endpoint is refused, or goes over the wire byte for byte and as what it
// was.
#include <mutex>

#include <gtest/gtest.h>

#include "dispatcher/core/header_rules.h"
#include "dispatcher/core/url_rules.h"
#include "tests/fakes/scripted_receiver.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

class InjectionTest : public TransportFixture {
 protected:
  // What the receiver got, head and body.
  std::string Wire(HttpRequest request) {
    const HttpResult result = TransportFixture::Post(std::move(request));
    EXPECT_EQ(result.status, 204) << result.error_detail;
    std::lock_guard lock(mutex_);
    return std::exchange(got_, "");
  }

  HttpRequest With(std::string name, std::string value) const {
    HttpRequest request = Request(receiver_.Url());
    request.headers.emplace_back(std::move(name), std::move(value));
    return request;
  }

  std::string Host() const { return "127.0.0.1:" + std::to_string(receiver_.port()); }

  static size_t Count(const std::string& text, const std::string& what) {
    size_t count = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
  }

  // One request, with its own request line, Host and body, and nothing beside.
  void ExpectOneRequest(const std::string& wire, const std::string& target, const std::string& host) {
    EXPECT_EQ(wire.find("POST " + target + " HTTP/1.1\r\n"), 0u) << wire;
    EXPECT_EQ(Count(wire, "\r\nHost: " + host + "\r\n"), 1u) << wire;
    EXPECT_EQ(Count(wire, "\r\n\r\n"), 1u) << wire;
    EXPECT_EQ(Count(wire, "HTTP/1.1"), 1u) << wire;
    EXPECT_EQ(wire.substr(wire.find("\r\n\r\n") + 4), "{}") << wire;
  }

  std::mutex mutex_;
  std::string got_;
  ScriptedReceiver receiver_{[this](ScriptedPeer& peer) {
    while (true) {
      std::string request = peer.ReadRequest();
      if (request.empty()) return;
      {
        std::lock_guard lock(mutex_);
        got_ = std::move(request);
      }
      peer.Write("HTTP/1.1 204 No Content\r\nSet-Cookie: session=hush\r\n\r\n");
    }
  }};
};

TEST_F(InjectionTest, EveryByteInAHeadersValue) {
  size_t refused = 0;
  size_t sent = 0;
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::string& value :
         {std::string("a") + static_cast<char>(byte) + "b", std::string(1, static_cast<char>(byte)),
          std::string("a") + static_cast<char>(byte) + "X-Other: 1",
          std::string("a\r") + static_cast<char>(byte)}) {
      if (!CheckHeaders({{"X-Tried", value, false}}).ok()) {
        ++refused;
        continue;
      }
      const std::string wire = Wire(With("X-Tried", value));
      EXPECT_EQ(Count(wire, "\r\nX-Tried: " + value + "\r\n"), 1u) << byte << "\n" << wire;
      ExpectOneRequest(wire, "/?token=hush", Host());
      ++sent;
    }
  }
  std::printf("header values: %zu refused, %zu sent byte for byte\n", refused, sent);
  EXPECT_EQ(sent, 96u + 94u + 96u) << "tab and printable ASCII, and no white space at an end";
}

TEST_F(InjectionTest, EveryByteInAHeadersName) {
  size_t refused = 0;
  size_t sent = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name = std::string("X-") + static_cast<char>(byte) + "y";
    if (!CheckHeaders({{name, "v", false}}).ok()) {
      ++refused;
      continue;
    }
    const std::string wire = Wire(With(name, "v"));
    EXPECT_EQ(Count(wire, "\r\n" + name + ": v\r\n"), 1u) << byte << "\n" << wire;
    ExpectOneRequest(wire, "/?token=hush", Host());
    ++sent;
  }
  std::printf("header names: %zu refused, %zu sent byte for byte\n", refused, sent);
  EXPECT_EQ(sent, 62u + 15u) << "the characters of an HTTP token";
}

TEST_F(InjectionTest, EveryByteInAUrl) {
  size_t refused = 0;
  size_t sent = 0;
  for (int byte = 0; byte < 256; ++byte) {
    for (const std::string& target : {std::string("/a") + static_cast<char>(byte) + "b?c",
                                      std::string("/a?b") + static_cast<char>(byte) + "c"}) {
      const std::string url = "http://" + Host() + target;
      if (!ParseUrl(url).ok()) {
        ++refused;
        continue;
      }
      HttpRequest request = Request(url);
      request.url = url;
      ExpectOneRequest(Wire(std::move(request)), target, Host());
      ++sent;
    }
  }
  std::printf("bytes in URLs: %zu refused, %zu sent byte for byte\n", refused, sent);
  EXPECT_GT(sent, 150u);
  for (const char bad : {'\0', '\r', '\n', ' ', '\t', '#', '\x7f', '\x80', '\xff'}) {
    EXPECT_FALSE(ParseUrl(std::string("http://a.example/x") + bad + "y").ok()) << static_cast<int>(bad);
  }
}

TEST_F(InjectionTest, PercentFormsStayWhatTheyAre) {
  for (const std::string target :
       {"/%0d%0aX-Injected:%201", "/%00", "/%2e%2e/%2E%2E/x", "/../../x", "/a%2fb", "/?q=%0d%0a%0d%0aGET%20/",
        "/%25%30%64", "//double//slash", "/./x/./y", "/;p=1", "/?a=b&c", "/?", "/%E2%82%AC"}) {
    const std::string url = "http://" + Host() + target;
    ASSERT_TRUE(ParseUrl(url).ok()) << target;
    HttpRequest request = Request(url);
    request.url = url;
    const std::string wire = Wire(std::move(request));
    ExpectOneRequest(wire, target, Host());
    EXPECT_EQ(wire.find("X-Injected:"), target.find("X-Injected:") == std::string::npos
                                            ? std::string::npos
                                            : wire.find("X-Injected:%201 HTTP/1.1"));
  }
}

TEST_F(InjectionTest, HostsAndOtherSchemes) {
  const char* const bad[] = {"http://user@a.example/",
                             "http://user:pass@a.example/",
                             "http://a.example@b.example/",
                             "http://a.example%0d%0aX:/",
                             "http://a.example%00.b.example/",
                             "http://a.example\r\nHost: b/",
                             "http://a b.example/",
                             "http://a.example:80 /",
                             "http://a.example:80\r\n/",
                             "http://a.example:99999/",
                             "http://a.example:-1/",
                             "http://a.example:0/",
                             "http://a.example:8o/",
                             "http://[::1%25eth0]/",
                             "http://[::1/",
                             "http://a.example\\@b.example/",
                             "http://a.example#@b.example/",
                             "http://xn--\xc3\xa9.example/",
                             "http://\xe2\x93\x94.example/",
                             "http:///x",
                             "http:a.example",
                             "http:/a.example/",
                             "//a.example/",
                             "a.example",
                             "ftp://a.example/",
                             "file:///etc/passwd",
                             "gopher://a.example/_x",
                             "dict://a.example/",
                             "ldap://a.example/",
                             "smb://a.example/",
                             "javascript:alert(1)",
                             "data:,x",
                             "ws://a.example/",
                             "unix:/run/x.sock",
                             "http+unix://%2Frun%2Fx/",
                             "HTTP\n://a.example/"};
  for (const char* url : bad) EXPECT_FALSE(ParseUrl(url).ok()) << url;
  // The transport itself speaks nothing else either, whoever made the URL.
  for (const char* url :
       {"ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/_x", "dict://127.0.0.1/"}) {
    HttpRequest request = Request(url);
    request.url = url;
    EXPECT_EQ(ToString(TransportFixture::Post(std::move(request)).error), "name") << url;
  }
  std::printf("URLs that are none: %zu\n", std::size(bad));
}

TEST_F(InjectionTest, CookiesAreNotKept) {
  for (int i = 0; i < 3; ++i) {
    const std::string wire = Wire(Request(receiver_.Url()));
    EXPECT_EQ(wire.find("ookie"), std::string::npos) << wire;
    EXPECT_EQ(wire.find("session"), std::string::npos) << wire;
  }
}

}  // namespace
}  // namespace hookd::testing
