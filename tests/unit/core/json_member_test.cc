#include "dispatcher/core/json_member.h"

#include <string>

#include <gtest/gtest.h>

#include "dispatcher/core/json_rules.h"

namespace hookd {
namespace {

std::string Member(std::string_view object, std::string_view name = "m") {
  EXPECT_TRUE(CheckJson(object).ok()) << object;
  return std::string(JsonMember(object, name).value_or("-"));
}

TEST(JsonMemberTest, IsAsItIsWritten) {
  EXPECT_EQ(Member(R"({"m":1})"), "1");
  EXPECT_EQ(Member(" {\n\"m\" :\t1e400 , \"n\": 2}\r\n"), "1e400");
  EXPECT_EQ(Member(R"({"a":"m","m":-123456789012345678901234567890.50})"),
            "-123456789012345678901234567890.50");
  EXPECT_EQ(Member(R"({"m":"\u0041\"}]","n":0})"), R"("\u0041\"}]")");
  EXPECT_EQ(Member(R"({"m": { "a" : [1, {"}":"]"}] } ,"n":[]})"), R"({ "a" : [1, {"}":"]"}] })");
  EXPECT_EQ(Member(R"({"n":[{"m":1}],"m":[]})"), "[]");
  EXPECT_EQ(Member(R"({"m":null})"), "null");
  EXPECT_EQ(Member(R"({"m":true })"), "true");
  EXPECT_EQ(Member(R"({"m":""})"), "\"\"");
}

TEST(JsonMemberTest, OfSeveralTheLast) { EXPECT_EQ(Member(R"({"m":1,"m":{"m":3},"n":4})"), R"({"m":3})"); }

TEST(JsonMemberTest, WhereThereIsNone) {
  for (const char* text : {"{}", "[]", "1", "\"m\"", R"({"n":{"m":1}})", R"({"mm":1,"":2})", R"(["m",1])",
                           R"({"n":"\"m\":1"})", R"({"\u006d":1})"}) {
    EXPECT_EQ(Member(text), "-") << text;
  }
  EXPECT_FALSE(JsonMember("", "m"));
}

}  // namespace
}  // namespace hookd
