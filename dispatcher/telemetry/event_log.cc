#include "dispatcher/telemetry/event_log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <utility>

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "base/check.h"

namespace hookd {
namespace {

constexpr int kWriteNowMs = 1'000;

// Writes each line with one call, so that lines stay whole and none waits in a buffer when the process dies.
// spdlog's own file sink buffers, and its stderr sink shares stdio's lock.
class LineSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  // Owns `fd` unless it is standard error.
  explicit LineSink(int fd) : fd_(fd) {}
  ~LineSink() override {
    if (fd_ != STDERR_FILENO) close(fd_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    spdlog::memory_buf_t line;
    formatter_->format(msg, line);
    const char* data = line.data();
    size_t left = line.size();
    while (left > 0) {
      const ssize_t written = write(fd_, data, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nowhere to report it: the line is lost
      data += written;
      left -= static_cast<size_t>(written);
    }
  }
  void flush_() override {}

 private:
  const int fd_;
};

spdlog::level::level_enum ToSpdlog(EventLog::Level level) {
  switch (level) {
    case EventLog::Level::kTrace:
      return spdlog::level::trace;
    case EventLog::Level::kDebug:
      return spdlog::level::debug;
    case EventLog::Level::kInfo:
      return spdlog::level::info;
    case EventLog::Level::kWarn:
      return spdlog::level::warn;
    case EventLog::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view NameOf(EventLog::Level level) {
  switch (level) {
    case EventLog::Level::kTrace:
      return "trace";
    case EventLog::Level::kDebug:
      return "debug";
    case EventLog::Level::kInfo:
      return "info";
    case EventLog::Level::kWarn:
      return "warn";
    case EventLog::Level::kError:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum ParseLevel(const std::string& name) {
  using Level = EventLog::Level;
  for (const Level level : {Level::kTrace, Level::kDebug, Level::kInfo, Level::kWarn, Level::kError}) {
    if (name == NameOf(level)) return ToSpdlog(level);
  }
  HOOKD_CHECK(false, "log_level has to be one that the configuration accepts");
  return spdlog::level::info;
}

int OpenLog(const std::string& file) {
  return open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

}  // namespace

class EventLog::Impl {
 public:
  Impl(const std::string& level, const std::string& file) : file_(file) {
    int fd = STDERR_FILENO;
    std::string failure;
    if (!file.empty()) {
      fd = OpenLog(file);
      if (fd < 0) {
        failure = "cannot open " + file + " (" + std::strerror(errno) + "): logging to standard error";
        fd = STDERR_FILENO;
      }
    }
    fd_ = fd;
    auto sink = std::make_shared<LineSink>(fd);
    pool_ = std::make_shared<spdlog::details::thread_pool>(
        kLogQueueLines, 1, [] { pthread_setname_np(pthread_self(), "hookd-log"); });
    logger_ = std::make_shared<spdlog::async_logger>("hookd", std::move(sink), pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_pattern(kPattern, spdlog::pattern_time_type::utc);
    logger_->set_level(ParseLevel(level));
    if (!failure.empty()) {
      JsonLine line;
      line.Text("level", "error").Text("event", "log.file").Text("message", failure);
      logger_->log(spdlog::level::err, line.members());
    }
  }

  bool Reopen(const std::string& level) {
    logger_->set_level(ParseLevel(level));
    if (fd_ == STDERR_FILENO) return file_.empty();
    const int fresh = OpenLog(file_);
    if (fresh < 0) return false;
    // In place of the old one, under the number that the writing thread uses.
    const bool moved = dup3(fresh, fd_, O_CLOEXEC) == fd_;
    close(fresh);
    return moved;
  }

  bool Enabled(Level level) const { return logger_->should_log(ToSpdlog(level)); }

  void Write(Level level, std::string_view event, const JsonLine& fields) {
    const std::string members = Members(level, event, fields);
    logger_->log(ToSpdlog(level), spdlog::string_view_t(members.data(), members.size()));
  }

  // With a formatter of its own, since the logger's belongs to the log's thread.
  void WriteNow(std::string_view event, const JsonLine& fields) const {
    const std::string members = Members(Level::kError, event, fields);
    spdlog::pattern_formatter formatter(kPattern, spdlog::pattern_time_type::utc);
    spdlog::memory_buf_t line;
    formatter.format({"hookd", spdlog::level::err, spdlog::string_view_t(members.data(), members.size())},
                     line);
    const char* data = line.data();
    size_t left = line.size();
    while (left > 0) {
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, kWriteNowMs) != 1) return;
      // A pipe that is ready takes this much without waiting.
      const ssize_t written = write(fd_, data, std::min<size_t>(left, PIPE_BUF));
      if (written <= 0) return;
      data += written;
      left -= static_cast<size_t>(written);
    }
  }

  uint64_t dropped() const { return pool_->overrun_counter(); }

 private:
  static constexpr const char* kPattern = "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}";

  static std::string Members(Level level, std::string_view event, const JsonLine& fields) {
    JsonLine line;
    line.Text("level", NameOf(level)).Text("event", event);
    std::string members = line.members();
    if (!fields.members().empty()) {
      members += ',';
      members += fields.members();
    }
    return members;
  }

  const std::string file_;
  int fd_ = -1;  // the sink's
  // Queued lines hold the logger; the pool's destructor writes them out and joins its thread.
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

EventLog::EventLog(const std::string& level, const std::string& file)
    : impl_(std::make_unique<Impl>(level, file)) {}
EventLog::~EventLog() = default;

bool EventLog::Reopen(const std::string& level) { return impl_->Reopen(level); }
bool EventLog::Enabled(Level level) const { return impl_->Enabled(level); }

void EventLog::Write(Level level, std::string_view event, const JsonLine& fields) {
  if (Enabled(level)) impl_->Write(level, event, fields);
}

void EventLog::WriteNow(std::string_view event, const JsonLine& fields) { impl_->WriteNow(event, fields); }

void EventLog::WriteAttempt(const AttemptEvent& event) {
  HOOKD_CHECK(event.attempt != nullptr, "an attempt's event needs its attempt");
  if (!Enabled(Level::kInfo)) return;
  const Attempt& attempt = *event.attempt;
  JsonLine line;
  line.Text("delivery_id", event.delivery.ToString())
      .Text("endpoint_id", event.delivery.endpoint.ToString())
      .Number("sequence", static_cast<int64_t>(event.delivery.sequence))
      .Text("event_id", event.event.ToString())
      .Text("subscriber_id", event.subscriber_id)
      .Text("event_type", event.event_type)
      .Text("url_host", event.url_host)
      .Text("state", ToString(event.state))
      .Number("attempt", attempt.number)
      .Text("start_time", FormatWallTime(attempt.started_ms))
      .Number("queued_us", event.queued.count())
      .Text("outcome", attempt.error == ErrorKind::kNone ? "success" : ToString(attempt.error))
      .Text("error_detail", attempt.error_detail)
      .Number("status", attempt.status)
      .Text("remote_address", attempt.remote_address)
      .Text("http_version", HttpVersionName(attempt.http_version))
      .Number("name_us", attempt.us.name)
      .Number("connect_us", attempt.us.connect)
      .Number("tls_us", attempt.us.tls)
      .Number("first_byte_us", attempt.us.first_byte)
      .Number("total_us", attempt.us.total)
      .Number("resends", attempt.resends)
      .Bool("body_truncated", attempt.body_truncated);
  if (!event.trace_id.empty()) line.Text("trace_id", event.trace_id);
  if (attempt.next_due_ms != 0) line.Text("next_due_time", FormatWallTime(attempt.next_due_ms));
  impl_->Write(Level::kInfo, "delivery.attempt", line);
}

uint64_t EventLog::dropped() const { return impl_->dropped(); }

}  // namespace hookd
