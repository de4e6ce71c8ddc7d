#include "cli/output.h"

#include <gtest/gtest.h>

#include "cli/parse.h"
#include "cli/progress.h"
#include "cli/words.h"
#include "hookd/v1/delivery_service.pb.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {
namespace {

TEST(OutputTest, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(TableText({"ID", "NAME"}, {{"a", "x"}, {"long", "y"}}),
            "ID    NAME\n"
            "a     x\n"
            "long  y\n");
  EXPECT_EQ(TableText({"ID", "NAME"}, {}), "ID  NAME\n");
  EXPECT_EQ(TableText({"ID", "NAME"}, {{"a", ""}}), "ID  NAME\na\n") << "no blanks at a line's end";
  EXPECT_EQ(TableText({"A", "B"}, {{"\xc3\xa4\xc3\xb6", "x"}, {"ab", "y"}}),
            "A   B\n\xc3\xa4\xc3\xb6  x\nab  y\n")
      << "width counts characters";
}

TEST(OutputTest, ATerminalObeysNoCell) {
  EXPECT_EQ(TableText({"A"}, {{"x\x1b[2Jy\nz"}}), "A\nx [2Jy z\n");
  EXPECT_EQ(FieldsText({{"name", "a\rb"}, {"empty", ""}}), "name   a b\n");
  EXPECT_EQ(Printable("a\xc2\x9b\x31m \xc2\xa0"), "a  1m \xc2\xa0");
}

TEST(OutputTest, OneLineIsCutBetweenCharacters) {
  EXPECT_EQ(OneLine("abcdef", 6), "abcdef");
  EXPECT_EQ(OneLine("abcdef", 5), "abcde...");
  EXPECT_EQ(OneLine("ab\xc3\xa4", 3), "ab...");
}

TEST(OutputTest, Durations) {
  const auto text = [](const char* duration) { return ShortDuration(*ParseDuration(duration)); };
  EXPECT_EQ(text("0s"), "0us");
  EXPECT_EQ(text("1ms"), "1ms");
  EXPECT_EQ(text("1500ms"), "1.5s");
  EXPECT_EQ(text("59999ms"), "59.9s");
  EXPECT_EQ(text("60s"), "1m00s");
  EXPECT_EQ(text("3599s"), "59m59s");
  EXPECT_EQ(text("7500s"), "2h05m");
  EXPECT_EQ(text("100h"), "4d04h");
  google::protobuf::Duration duration;
  duration.set_nanos(350'999);
  EXPECT_EQ(ShortDuration(duration), "350us");
  duration.set_nanos(12'340'000);
  EXPECT_EQ(ShortDuration(duration), "12.3ms");
  duration.set_nanos(-1'000'000);
  EXPECT_EQ(ShortDuration(duration), "-1ms");
}

TEST(OutputTest, Numbers) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(1234567), "1,234,567");
}

TEST(ProgressTest, Bars) {
  EXPECT_EQ(BarText(0, 10), "[....................]   0 %");
  EXPECT_EQ(BarText(5, 10), "[##########..........]  50 %");
  EXPECT_EQ(BarText(10, 10), "[####################] 100 %");
  EXPECT_EQ(BarText(11, 10), "[####################] 100 %");
}

TEST(ProgressTest, Pace) {
  EXPECT_EQ(PaceText(0, 100, std::chrono::seconds(1)), "");
  EXPECT_EQ(PaceText(1000, 0, std::chrono::seconds(2)), "500/s");
  EXPECT_EQ(PaceText(1000, 3000, std::chrono::seconds(2)), "500/s, 5s left");
}

TEST(WordsTest, EnumsAreWords) {
  EXPECT_EQ(Word(v1::WAIT_KIND_RETRY_AFTER), "retry_after");
  EXPECT_EQ(Word(static_cast<v1::WaitKind>(999)), "999");
  EXPECT_EQ(FromWord<v1::DeliveryState>("expired"), v1::DELIVERY_STATE_EXPIRED);
  EXPECT_EQ(FromWord<v1::DeliveryState>("lost"), v1::DELIVERY_STATE_UNSPECIFIED);
  EXPECT_EQ(Words<v1::DisableReason>(),
            (std::vector<std::string>{"failures", "gone", "person", "url_cleared", "unverified"}));
}

}  // namespace
}  // namespace hookd::cli
