#include "dispatcher/core/json_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

using testing::HasSubstr;

std::string Check(std::string_view text) { return CheckJson(text).ToString(); }

std::string Nested(size_t levels, const std::string& open, const std::string& inner,
                   const std::string& close) {
  std::string text;
  for (size_t i = 0; i < levels; ++i) text += open;
  text += inner;
  for (size_t i = 0; i < levels; ++i) text += close;
  return text;
}

TEST(JsonRulesTest, TakesEveryKindOfValue) {
  for (std::string_view text : {"{}", "[]", "0", "-0", "1.5e-7", "true", "false", "null", R"("")", R"("a")",
                                " \t\r\n{ \"a\" : [ 1 , 2 ] }\n",
                                R"({"a":{"b":[null,true,{"c":"\"\\\/\b\f\n\r\t\u00e9\ud83d\udc4b"}]}})",
                                "\"\xf0\x9f\x91\x8b\"", "\"\x7f\"", R"({"":1})"}) {
    EXPECT_EQ(Check(text), "OK") << text;
  }
}

TEST(JsonRulesTest, TakesRepeatedKeysAndBigNumbers) {
  EXPECT_EQ(Check(R"({"a":1,"a":2})"), "OK");
  for (std::string_view text :
       {"18446744073709551616", "-9223372036854775809", "1e400", "-1e-400", "1E+2000000000"}) {
    EXPECT_EQ(Check(text), "OK") << text;
  }
  EXPECT_EQ(Check(std::string(100'000, '9')), "OK");
  EXPECT_EQ(Check("0." + std::string(100'000, '3')), "OK");
}

TEST(JsonRulesTest, RefusesWhatIsNotOneValue) {
  EXPECT_EQ(Check(""), "INVALID_ARGUMENT: is not valid JSON: incomplete JSON at byte 0");
  EXPECT_EQ(Check(" \n"), "INVALID_ARGUMENT: is not valid JSON: incomplete JSON at byte 2");
  EXPECT_EQ(Check("{} x"), "INVALID_ARGUMENT: is not valid JSON: extra data at byte 3");
  EXPECT_EQ(Check("1 2"), "INVALID_ARGUMENT: is not valid JSON: extra data at byte 2");
  EXPECT_EQ(Check("{}{}"), "INVALID_ARGUMENT: is not valid JSON: extra data at byte 2");
  EXPECT_EQ(Check(std::string("{}\0", 3)), "INVALID_ARGUMENT: is not valid JSON: extra data at byte 2");
}

TEST(JsonRulesTest, NamesTheByteOfTheError) {
  EXPECT_EQ(Check(R"({"a":1,})"), "INVALID_ARGUMENT: is not valid JSON: syntax error at byte 7");
  EXPECT_EQ(Check(R"({"a":tru})"), "INVALID_ARGUMENT: is not valid JSON: syntax error at byte 5");
}

TEST(JsonRulesTest, RefusesTruncatedText) {
  const std::string whole = R"({"a":[1,"b\u00e9",true]})";
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(Check(whole.substr(0, size)), HasSubstr("incomplete JSON")) << size;
  }
}

TEST(JsonRulesTest, RefusesWhatOnlyOtherDialectsTake) {
  for (std::string_view text :
       {"NaN",       "nan",       "Infinity", "-Infinity", "[1,]",  "[,1]",      "{a:1}",
        "{'a':1}",   "'a'",       "// c\n1",  "/* c */1",  "01",    "-",         "+1",
        ".5",        "1.",        "1e",       "0x10",      "True",  "undefined", "\xEF\xBB\xBF{}",
        R"("\x41")", R"("\u12")", "[1 2]",    "{\"a\"}",   "{1:2}", "]",         "\"a\nb\"",
        "\"a\tb\"",  "\f1"}) {
    EXPECT_THAT(Check(text), HasSubstr("is not valid JSON")) << text;
  }
  EXPECT_THAT(Check(std::string("\"a\0b\"", 5)), HasSubstr("is not valid JSON"));
}

TEST(JsonRulesTest, RefusesInvalidUtf8) {
  for (std::string_view bytes : {"\x80",
                                 "\xbf",
                                 "\xff",
                                 "\xfe",  // no lead byte
                                 "\xc0\xaf",
                                 "\xc1\xbf",  // overlong, two bytes
                                 "\xe0\x80\xaf",
                                 "\xe0\x9f\xbf",  // overlong, three bytes
                                 "\xf0\x80\x80\xaf",
                                 "\xf0\x8f\xbf\xbf",  // overlong, four bytes
                                 "\xed\xa0\x80",
                                 "\xed\xbf\xbf",  // surrogates
                                 "\xf4\x90\x80\x80",
                                 "\xf5\x80\x80\x80",  // above U+10FFFF
                                 "\xc3",
                                 "\xe2\x82",
                                 "\xf0\x9f\x91",  // cut off
                                 "\xc3(",
                                 "\xe2(\xa1",
                                 "\xf0\x9f(\x80"}) {  // no continuation
    EXPECT_THAT(Check("\"" + std::string(bytes) + "\""), HasSubstr("is not valid JSON"));
    EXPECT_THAT(Check("{\"" + std::string(bytes) + "\":1}"), HasSubstr("is not valid JSON"));
  }
  for (std::string_view bytes : {"\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                                 "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Check("\"" + std::string(bytes) + "\""), "OK");
  }
}

TEST(JsonRulesTest, RefusesEscapedLoneSurrogates) {
  EXPECT_THAT(Check(R"("\ud83d")"), HasSubstr("is not valid JSON"));
  EXPECT_THAT(Check(R"("\udc4b")"), HasSubstr("is not valid JSON"));
  EXPECT_THAT(Check(R"("\ud83dx")"), HasSubstr("is not valid JSON"));
}

TEST(JsonRulesTest, RefusesExponentsBeyond32Bits) {
  EXPECT_THAT(Check("1e2147483648"), HasSubstr("exponent overflow"));
}

TEST(JsonRulesTest, TakesUpTo64Levels) {
  EXPECT_EQ(Check(Nested(64, "[", "", "]")), "OK");
  EXPECT_EQ(Check(Nested(64, R"({"a":)", "1", "}")), "OK");
  EXPECT_EQ(Check(Nested(32, R"([{"a":)", "1", "}]")), "OK");
  EXPECT_EQ(Check(Nested(65, "[", "", "]")), "INVALID_ARGUMENT: is JSON of more than 64 levels at byte 64");
  EXPECT_THAT(Check(Nested(65, R"({"a":)", "1", "}")), HasSubstr("more than 64 levels"));
  EXPECT_EQ(Check("[" + Nested(63, "[", "", "]") + "," + Nested(63, "[", "", "]") + "]"), "OK");
}

TEST(JsonRulesTest, ADepthBombEndsAtTheBound) {
  EXPECT_EQ(Check(std::string(100'000, '[')), "INVALID_ARGUMENT: is JSON of more than 64 levels at byte 64");
  EXPECT_THAT(Check(Nested(100'000, R"({"a":)", "", "")), HasSubstr("more than 64 levels"));
}

}  // namespace
}  // namespace hookd
