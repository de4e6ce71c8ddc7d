#include "dispatcher/telemetry/json_line.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace hookd {
namespace {

std::string Escaped(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

// What a strict parser reads back.
std::string ReadBack(std::string_view text) {
  const boost::json::value value = boost::json::parse(Escaped(text));
  return std::string(value.as_string());
}

TEST(JsonLineTest, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(Escaped("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(Escaped("line\nnext\ttab\r"), R"("line\nnext\u0009tab\u000d")");
  EXPECT_EQ(Escaped(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
}

TEST(JsonLineTest, EveryByteReadsBackAsItselfOrAsReplacement) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'<', static_cast<char>(byte), '>'};
    EXPECT_EQ(ReadBack(text), byte < 0x80 ? text : "<\xEF\xBF\xBD>") << byte;
  }
}

TEST(JsonLineTest, KeepsWellFormedUtf8) {
  for (const char* text : {"é", "日本", "😀", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff"}) {
    EXPECT_EQ(Escaped(text), "\"" + std::string(text) + "\"");
  }
}

TEST(JsonLineTest, ReplacesIllFormedUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(ReadBack("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(ReadBack("\xE0\x9F\xBF"), r + r + r);          // overlong
  EXPECT_EQ(ReadBack("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(ReadBack("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(ReadBack("ok\xE6\x97"), "ok" + r + r);         // cut
  EXPECT_EQ(ReadBack("\xE6\x97\"x"), r + r + "\"x");       // cut before a quote
}

TEST(JsonLineTest, CutsLongTexts) {
  JsonLine line;
  line.Text("k", std::string(kMaxLogText + 1, 'x'));
  EXPECT_EQ(line.members().size(), kMaxLogText + 6);  // "k":"..."
  JsonLine in_the_middle;
  in_the_middle.Text("k", std::string(kMaxLogText - 1, 'x') + "é");
  EXPECT_NO_THROW(boost::json::parse("{" + in_the_middle.members() + "}"));
}

TEST(JsonLineTest, JoinsMembers) {
  JsonLine line;
  line.Text("a", "b").Number("n", INT64_MIN).Bool("t", true).Bool("f", false);
  EXPECT_EQ(line.members(), R"("a":"b","n":-9223372036854775808,"t":true,"f":false)");
}

TEST(FormatWallTimeTest, IsRfc3339WithMilliseconds) {
  EXPECT_EQ(FormatWallTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatWallTime(1'714'564'800'007), "2024-05-01T12:00:00.007Z");
  EXPECT_EQ(FormatWallTime(1'709'251'199'999), "2024-02-29T23:59:59.999Z");
  EXPECT_EQ(FormatWallTime(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace hookd
