#include "dispatcher/core/header_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Check(const std::vector<Header>& headers) { return CheckHeaders(headers).ToString(); }

TEST(HeaderRulesTest, TakesOrdinaryHeaders) {
  EXPECT_EQ(Check({}), "OK");
  EXPECT_EQ(
      Check({{"Authorization", "Bearer a.b-c_d==", true}, {"X-Api-Key", "", false}, {"a", "b\tc d", false}}),
      "OK");
  EXPECT_EQ(Check({{"!#$%&'*+-.^_`|~09azAZ", "~", false}}), "OK");
}

TEST(HeaderRulesTest, RefusesWhatHookdOrHttpSets) {
  for (const char* name :
       {"Connection", "keep-alive", "TE", "Trailer", "transfer-encoding", "Upgrade", "HOST", "Content-Length",
        "Content-Type", "Expect", "User-Agent", "Traceparent", "TraceState", "Proxy-Authorization",
        "proxy-connection", "webhook-id", "Webhook-Signature", "hookd-sequence", "HOOKD-anything"}) {
    EXPECT_THAT(Check({{"X-Ok", "1", false}, {name, "v", false}}),
                testing::AllOf(StartsWith("INVALID_ARGUMENT: headers[1].name: "), HasSubstr("is set by")))
        << name;
  }
  for (const char* name : {"Hosts", "X-Host", "Tea", "Webhook", "hookd", "Proxy", "Accept"}) {
    EXPECT_EQ(Check({{name, "v", false}}), "OK") << name;
  }
}

TEST(HeaderRulesTest, RefusesNamesThatAreNoTokens) {
  for (const std::string& name : {std::string(), std::string("X Y"), std::string("X:"), std::string("X\r\nY"),
                                  std::string("X\0", 2), std::string("X\t"), std::string("X(Y)"),
                                  std::string("\"X\""), std::string("X\xc3\xa9"), std::string(129, 'x')}) {
    EXPECT_THAT(Check({{name, "v", false}}), StartsWith("INVALID_ARGUMENT: headers[0].name: use 1 to 128"));
  }
  EXPECT_EQ(Check({{std::string(128, 'x'), "v", false}}), "OK");
}

TEST(HeaderRulesTest, RefusesInjectionAndNeverEchoesTheValue) {
  for (const std::string& value :
       {std::string("sesame\r\nX-Injected: 1"), std::string("sesame\n"), std::string("sesame\r"),
        std::string("sesame\0x", 8), std::string("sesame\x1b[0m"), std::string("sesame\x7f"),
        std::string("sesame\xc3\xa9"), std::string(" sesame"), std::string("sesame\t")}) {
    const std::string message = Check({{"Authorization", value, true}});
    EXPECT_THAT(message, StartsWith("INVALID_ARGUMENT: headers[0].value: "));
    EXPECT_THAT(message, Not(HasSubstr("sesame")));
  }
}

TEST(HeaderRulesTest, RefusesTheSameNameTwiceInAnyCase) {
  EXPECT_EQ(Check({{"X-A", "1", false}, {"X-B", "1", false}, {"x-a", "2", false}}),
            "INVALID_ARGUMENT: headers[2].name: appears before, use each name once");
}

TEST(HeaderRulesTest, BoundsCountAndBytes) {
  std::vector<Header> headers;
  for (int i = 0; i < 32; ++i) headers.push_back({"x-" + std::to_string(i), "v", false});
  EXPECT_EQ(Check(headers), "OK");
  headers.push_back({"x-32", "v", false});
  EXPECT_EQ(Check(headers), "INVALID_ARGUMENT: headers: there are 33, use at most 32");

  EXPECT_EQ(Check({{"x", std::string(4096, 'v'), false}}), "OK");
  EXPECT_EQ(Check({{"x", std::string(4097, 'v'), false}}),
            "INVALID_ARGUMENT: headers[0].value: is 4097 bytes long, use at most 4096");

  headers.clear();
  for (int i = 0; i < 4; ++i) headers.push_back({"x" + std::to_string(i), std::string(4094, 'v'), false});
  EXPECT_EQ(Check(headers), "OK");  // 16 KiB exactly
  headers[0].value += 'v';
  EXPECT_EQ(Check(headers), "INVALID_ARGUMENT: headers: are 16385 bytes in all, use at most 16384");
}

}  // namespace
}  // namespace hookd
