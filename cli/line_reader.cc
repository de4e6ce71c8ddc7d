#include "cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace hookd::cli {
namespace {

constexpr size_t kReadBytes = 256 * 1024;

}  // namespace

LineReader::Result LineReader::Next(std::optional<std::chrono::milliseconds> wait, std::string_view& line) {
  for (;;) {
    const size_t end = buffer_.find('\n', seen_);
    if (end != std::string::npos || (ended_ && (begin_ < buffer_.size() || skipping_))) {
      const size_t stop = end != std::string::npos ? end : buffer_.size();
      line = std::string_view(buffer_).substr(begin_, stop - begin_);
      begin_ = seen_ = end != std::string::npos ? end + 1 : stop;
      ++number_;
      const bool too_long = skipping_ || line.size() > kMaxLineBytes;
      skipping_ = false;
      return too_long ? Result::kTooLong : Result::kLine;
    }
    if (ended_) return Result::kEnd;
    buffer_.erase(0, begin_);
    begin_ = 0;
    if (buffer_.size() > kMaxLineBytes) {
      skipping_ = true;
      buffer_.clear();
    }
    seen_ = buffer_.size();
    if (wait) {
      pollfd ready{fd_, POLLIN, 0};
      const int polled = poll(&ready, 1, static_cast<int>(wait->count()));
      if (polled == 0) return Result::kNothingYet;
      if (polled < 0 && errno != EINTR) return Result::kError;
      if (polled < 0) continue;
    }
    const size_t had = buffer_.size();
    buffer_.resize(had + kReadBytes);
    const ssize_t got = read(fd_, buffer_.data() + had, kReadBytes);
    buffer_.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got < 0 && errno != EINTR) return Result::kError;
    if (got == 0) ended_ = true;
  }
}

}  // namespace hookd::cli
