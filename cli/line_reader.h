// Lines from a descriptor, without waiting for longer than asked: a slow producer's events must not wait for
// a batch to fill.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hookd::cli {

// An event's payload has up to 1 MiB; its JSON around it is small.
inline constexpr size_t kMaxLineBytes = 2 * 1024 * 1024;

class LineReader {
 public:
  enum class Result {
    kLine,
    kTooLong,  // a line over kMaxLineBytes, which is skipped
    kNothingYet,
    kEnd,
    kError,  // errno says which
  };

  // Does not own `fd`.
  explicit LineReader(int fd) : fd_(fd) {}

  // `line`, without its end, is valid until the next call. Waits for input until there is some, or for about
  // `wait` and then says kNothingYet.
  Result Next(std::optional<std::chrono::milliseconds> wait, std::string_view& line);

  // Of the line that Next gave, from 1.
  uint64_t number() const { return number_; }

 private:
  const int fd_;
  std::string buffer_;
  size_t begin_ = 0;  // of what was not given out yet
  size_t seen_ = 0;   // there is no line end before it
  bool ended_ = false;
  bool skipping_ = false;
  uint64_t number_ = 0;
};

}  // namespace hookd::cli
