#include "cli/file_publisher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <mutex>
#include <optional>

#include <google/protobuf/util/time_util.h>

#include "base/concat.h"
#include "cli/line_reader.h"
#include "cli/ndjson.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/progress.h"
#include "cli/stream_publisher.h"

namespace hookd::cli {
namespace {

constexpr int kBatchEvents = 500;
constexpr size_t kBatchBytes = 1024 * 1024;
// Refusals told one by one; the others are only counted.
constexpr uint64_t kToldRefusals = 20;
// While nothing comes in: how often a broken connection is looked for.
constexpr std::chrono::milliseconds kPumpEvery{500};
// Of --retry-for; a longer one is taken for it.
constexpr std::chrono::hours kMaxRetryFor{365 * 24};

void PrintSummary(const Session& session, const StreamSummary& summary) {
  if (session.json) {
    std::cout << "{\"accepted\": " << summary.accepted << ", \"duplicates\": " << summary.duplicates
              << ", \"deliveries\": " << summary.deliveries
              << ", \"not_fanned_out\": " << summary.not_fanned_out << ", \"refused\": " << summary.refused
              << "}\n";
    return;
  }
  PrintFields({{"accepted", std::to_string(summary.accepted)},
               {"duplicates", std::to_string(summary.duplicates)},
               {"deliveries", std::to_string(summary.deliveries)},
               {"not fanned out", std::to_string(summary.not_fanned_out)},
               {"refused", std::to_string(summary.refused)}});
}

// 0 = not known: a pipe.
uint64_t SizeOf(int fd) {
  struct stat file {};
  return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) ? static_cast<uint64_t>(file.st_size) : 0;
}

// Lines into batches, batches into the stream. Bad lines are told and counted, as events that hookd refuses
// are.
class FilePublisher {
 public:
  // `bytes`: of the whole file; 0 = not known.
  FilePublisher(Session& session, Duration retry_for, uint64_t bytes, bool progress)
      : session_(session),
        whole_(bytes),
        progress_(progress, RealClock()),
        publisher_(session.Connect(), retry_for, RealClock(),
                   [this](uint64_t line, const v1::PublishResult& result) {
                     TellRefusal(line, CodeName(result.code()) + ": " + result.message());
                   }) {}

  void Run(int fd) {
    LineReader reader(fd);
    for (;;) {
      std::string_view line;
      const LineReader::Result result = reader.Next(Patience(), line);
      if (progress_.Due()) progress_.Show(ProgressText());
      if (result == LineReader::Result::kEnd) break;
      if (result == LineReader::Result::kError) {
        session_.UsageError(std::string("cannot read: ") + std::strerror(errno));
        break;
      }
      if (result == LineReader::Result::kTooLong) {
        Refuse(reader.number(), "longer than 2 MiB");
      } else if (result == LineReader::Result::kLine) {
        Add(reader.number(), line);
      }
      const bool full = batch_.request.events_size() >= kBatchEvents || bytes_ >= kBatchBytes;
      const bool idle = result == LineReader::Result::kNothingYet;
      if ((full || idle) && !Flush()) break;
      if (idle && !Succeeded(publisher_.Pump())) break;
    }
    if (!failed_ && Flush()) Succeeded(publisher_.Finish());
    StreamSummary summary = publisher_.summary();
    summary.refused += refused_lines_;
    progress_.End();
    PrintSummary(session_, summary);
    if (summary.refused > 0 && session_.exit_code == kExitOk) session_.exit_code = kExitRefused;
  }

 private:
  // How long to wait for a line. What is gathered is sent before waiting; what is unanswered is looked after.
  std::optional<std::chrono::milliseconds> Patience() const {
    if (!batch_.request.events().empty()) return std::chrono::milliseconds(0);
    if (publisher_.HasUnanswered()) return kPumpEvery;
    return std::nullopt;
  }

  // "[####....]  20 %  12,000 accepted, 3 refused  4,000/s, 12s left"
  std::string ProgressText() const {
    const StreamSummary summary = publisher_.summary();
    const uint64_t answered = summary.accepted + summary.duplicates + summary.refused;
    std::string text = whole_ == 0 ? "" : BarText(read_, whole_) + "  ";
    text += Grouped(summary.accepted) + " accepted";
    if (summary.duplicates != 0) text += ", " + Grouped(summary.duplicates) + " known";
    const uint64_t refused = summary.refused + refused_lines_;
    if (refused != 0) text += ", " + Grouped(refused) + " refused";
    // What is left is known in bytes alone: taken for as many events per byte as there were.
    const double left =
        whole_ > read_ ? static_cast<double>(whole_ - read_) / static_cast<double>(read_ + 1) : 0;
    const auto rest = static_cast<uint64_t>(static_cast<double>(answered) * left);
    const std::string pace = PaceText(answered, answered + rest, progress_.Elapsed());
    return pace.empty() ? text : text + "  " + pace;
  }

  void Add(uint64_t number, std::string_view line) {
    read_ += line.size() + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    v1::NewEvent event;
    if (const absl::Status bad = ParseEventLine(line, event); !bad.ok()) {
      return Refuse(number, std::string(bad.message()));
    }
    // A batch stays below hookd's bound of 4 MiB: the last event has 2 MiB at most.
    bytes_ += event.ByteSizeLong();
    *batch_.request.add_events() = std::move(event);
    batch_.lines.push_back(number);
  }

  bool Flush() {
    if (batch_.request.events().empty()) return true;
    const bool sent = Succeeded(publisher_.Send(std::move(batch_)));
    batch_ = Batch();
    bytes_ = 0;
    return sent;
  }

  bool Succeeded(const grpc::Status& status) {
    if (!session_.Check(status)) failed_ = true;
    return !failed_;
  }

  void Refuse(uint64_t number, const std::string& why) {
    ++refused_lines_;
    TellRefusal(number, "INVALID_ARGUMENT: " + why);
  }

  void TellRefusal(uint64_t number, const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (++told_ > kToldRefusals) return;
    progress_.Say(Concat("hookctl: line ", number, ": ", why));
    if (told_ == kToldRefusals) progress_.Say("hookctl: further refusals are only counted");
  }

  Session& session_;
  const uint64_t whole_;
  Progress progress_;
  uint64_t read_ = 0;  // bytes of the file
  Batch batch_;
  size_t bytes_ = 0;
  bool failed_ = false;
  uint64_t refused_lines_ = 0;
  std::mutex mutex_;
  uint64_t told_ = 0;          // guarded by mutex_
  StreamPublisher publisher_;  // last: its thread tells refusals
};

}  // namespace

void PublishFile(Session& session, const std::string& file, const std::string& retry_for, bool progress) {
  using google::protobuf::util::TimeUtil;
  const auto patience = ParseDuration(retry_for);
  if (!patience) return session.UsageError("--retry-for is such as 30s");
  const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return session.UsageError("cannot read " + file + ": " + std::strerror(errno));
  const auto asked = std::chrono::milliseconds(TimeUtil::DurationToMilliseconds(*patience));
  FilePublisher publisher(session, std::min<std::chrono::milliseconds>(asked, kMaxRetryFor), SizeOf(fd),
                          progress);
  publisher.Run(fd);
  if (fd != STDIN_FILENO) close(fd);
}

}  // namespace hookd::cli
