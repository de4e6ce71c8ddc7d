#include "dispatcher/engine/kept_headers.h"

#include <gtest/gtest.h>

namespace hookd {
namespace {

TEST(KeptHeadersTest, AnAnswersLinesWithoutCredentials) {
  EXPECT_EQ(KeptResponseHeaders("HTTP/1.1 500 Oops\r\nServer: a: b\r\nSET-Cookie: id=hush\r\nX-Empty:\r\n"
                                "WWW-Authenticate: Basic\r\nDate:  now \r\n"),
            "Server: a: b\nSET-Cookie\nX-Empty: \nWWW-Authenticate\nDate: now\n");
}

TEST(KeptHeadersTest, NoPartOfASecretsFoldedValue) {
  EXPECT_EQ(KeptResponseHeaders("Set-Cookie: a=\r\n hush: b\r\n\tmore\r\nA: b\r\n"), "Set-Cookie\nA: b\n");
}

TEST(KeptHeadersTest, TextAlone) {
  constexpr char kRaw[] = "A: \xff\x01z\0y\r\n: nameless\r\njunk\r\n";
  EXPECT_EQ(KeptResponseHeaders(std::string_view(kRaw, sizeof(kRaw) - 1)), "A: ??z?y\n");
}

TEST(KeptHeadersTest, WholeLinesUpToTheBound) {
  const std::string line = "A: " + std::string(996, 'x') + "\n";  // 1,000 bytes
  std::string raw;
  for (int i = 0; i < 10; ++i) raw += line;
  const std::string kept = KeptResponseHeaders(raw);
  EXPECT_EQ(kept.size(), 8'000u);
  EXPECT_EQ(kept.substr(7'000), line);
}

TEST(KeptHeadersTest, ARequestsLinesWithoutItsSecrets) {
  Endpoint endpoint;
  endpoint.headers = {{"X-Key", "hush", true}, {"Authorization", "hush", false}, {"X-Team", "blue", false}};
  EXPECT_EQ(KeptRequestHeaders({{"webhook-id", "evt"},
                                {"webhook-signature", "v1,hush"},
                                {"X-Key", "hush"},
                                {"Authorization", "hush"},
                                {"X-Team", "blue"}},
                               endpoint),
            "webhook-id: evt\nwebhook-signature\nX-Key\nAuthorization\nX-Team: blue\n");
}

}  // namespace
}  // namespace hookd
