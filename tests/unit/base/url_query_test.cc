#include "base/url_query.h"

#include <gtest/gtest.h>

namespace hookd {
namespace {

TEST(UrlQueryTest, ShowsNamesAndNoValues) {
  EXPECT_EQ(MaskQuery("https://a.example/h"), "https://a.example/h");
  EXPECT_EQ(MaskQuery("https://a.example/h?"), "https://a.example/h?");
  EXPECT_EQ(MaskQuery("https://a.example/h?key=secret"), "https://a.example/h?key=***");
  EXPECT_EQ(MaskQuery("https://a.example/h?a=1&b=x?y=z&c"), "https://a.example/h?a=***&b=***&***");
  EXPECT_EQ(MaskQuery("https://a.example/h?token"), "https://a.example/h?***");
  EXPECT_EQ(MaskQuery("https://a.example?&a=1&&"), "https://a.example?&a=***&&");
  // A key in base64 is no name.
  EXPECT_EQ(MaskQuery("https://a.example/h?c2VjcmV0Cg=="), "https://a.example/h?***");
  EXPECT_EQ(MaskQuery("https://a.example/h?c2VjcmV0="), "https://a.example/h?***");
  EXPECT_EQ(MaskQuery("https://a.example/h?k=c2VjcmV0Cg=="), "https://a.example/h?k=***");
}

TEST(UrlQueryTest, KnowsWhatWasMasked) {
  for (const char* url : {"https://a/h?key=s", "https://a/h?x", "https://a/h?a=1&&b=2", "https://a/h?YQ=="}) {
    EXPECT_FALSE(HoldsMasked(url)) << url;
    EXPECT_TRUE(HoldsMasked(MaskQuery(url))) << url;
    EXPECT_EQ(MaskQuery(MaskQuery(url)), MaskQuery(url)) << url;
  }
  EXPECT_FALSE(HoldsMasked("https://a/h"));
  EXPECT_FALSE(HoldsMasked("https://a/***"));
  EXPECT_FALSE(HoldsMasked("https://a/h?a=****"));
  EXPECT_TRUE(HoldsMasked("https://a/h?a=1&b=***"));
}

}  // namespace
}  // namespace hookd
