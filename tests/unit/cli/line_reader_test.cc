#include "cli/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace hookd::cli {
namespace {

constexpr std::chrono::milliseconds kAtOnce{0};

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  ~LineReaderTest() override {
    CloseInput();
    close(ends_[0]);
  }

  void Give(const std::string& text) {
    ASSERT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void CloseInput() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

  int ends_[2] = {-1, -1};
};

TEST_F(LineReaderTest, GivesLinesAndTheRestAtTheEnd) {
  Give("one\n\nthree");
  CloseInput();
  LineReader reader(ends_[0]);
  std::string_view line;
  for (const char* expected : {"one", "", "three"}) {
    ASSERT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kLine);
    EXPECT_EQ(line, expected);
  }
  EXPECT_EQ(reader.number(), 3u);
  EXPECT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kEnd);
  EXPECT_EQ(reader.Next(kAtOnce, line), LineReader::Result::kEnd);
}

TEST_F(LineReaderTest, DoesNotWaitForMoreWhenAskedNotTo) {
  LineReader reader(ends_[0]);
  std::string_view line;
  EXPECT_EQ(reader.Next(kAtOnce, line), LineReader::Result::kNothingYet);
  Give("ha");
  EXPECT_EQ(reader.Next(kAtOnce, line), LineReader::Result::kNothingYet);
  Give("lf\nnext");
  ASSERT_EQ(reader.Next(kAtOnce, line), LineReader::Result::kLine);
  EXPECT_EQ(line, "half");
  EXPECT_EQ(reader.Next(kAtOnce, line), LineReader::Result::kNothingYet);
}

TEST_F(LineReaderTest, WaitsNoLongerThanAsked) {
  LineReader reader(ends_[0]);
  std::string_view line;
  EXPECT_EQ(reader.Next(std::chrono::milliseconds(10), line), LineReader::Result::kNothingYet);
  Give("line\n");
  ASSERT_EQ(reader.Next(std::chrono::hours(1), line), LineReader::Result::kLine);
  EXPECT_EQ(line, "line");
  CloseInput();
  EXPECT_EQ(reader.Next(std::chrono::hours(1), line), LineReader::Result::kEnd);
}

TEST_F(LineReaderTest, SkipsALineThatIsTooLong) {
  std::thread writer([this] {
    const std::string chunk(64 * 1024, 'x');
    for (size_t sent = 0; sent <= 3 * kMaxLineBytes; sent += chunk.size()) Give(chunk);
    Give("\nafter\n");
    CloseInput();
  });
  LineReader reader(ends_[0]);
  std::string_view line;
  EXPECT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kTooLong);
  ASSERT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kLine);
  EXPECT_EQ(line, "after");
  EXPECT_EQ(reader.number(), 2u);
  EXPECT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kEnd);
  writer.join();
}

TEST_F(LineReaderTest, SaysWhenReadingFails) {
  LineReader reader(-1);
  std::string_view line;
  EXPECT_EQ(reader.Next(std::nullopt, line), LineReader::Result::kError);
}

}  // namespace
}  // namespace hookd::cli
