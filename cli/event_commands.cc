#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <google/protobuf/util/time_util.h>

#include "cli/commands.h"
#include "cli/line_reader.h"
#include "cli/ndjson.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/stream_publisher.h"
#include "hookd/v1/event_service.grpc.pb.h"

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

struct Flags {
  v1::NewEvent event;
  std::string payload_file;
  std::string file;
  std::string retry_for = "30s";
  std::string not_before;
  std::string expires;
};

// Empty = nothing is wrong.
std::string FillTimes(const Flags& flags, v1::NewEvent& event) {
  const auto now = google::protobuf::util::TimeUtil::GetCurrentTime();
  if (!flags.not_before.empty()) {
    const auto time = ParseTime(flags.not_before, now);
    if (!time) return "--not-before is such as 2030-01-31T12:00:00Z, or 15m from now";
    *event.mutable_not_before_time() = *time;
  }
  if (!flags.expires.empty()) {
    const auto time = ParseTime(flags.expires, now);
    if (!time) return "--expires is such as 2030-01-31T12:00:00Z, or 15m from now";
    *event.mutable_expire_time() = *time;
  }
  return "";
}

void PublishOne(Session& session, Flags& flags) {
  if (!flags.payload_file.empty()) {
    absl::StatusOr<std::string> payload = ReadFile(flags.payload_file);
    if (!payload.ok()) return session.UsageError(std::string(payload.status().message()));
    flags.event.set_payload(*std::move(payload));
  }
  if (const std::string wrong = FillTimes(flags, flags.event); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  const auto stub = v1::EventService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  v1::PublishEventRequest request;
  *request.mutable_event() = flags.event;
  v1::PublishEventResponse response;
  if (!session.Check(stub->PublishEvent(&context, request, &response))) return;
  if (session.json) return PrintJson(response);
  PrintFields({{"event", response.event_id()},
               {"deliveries", std::to_string(response.deliveries())},
               {"duplicate", YesNo(response.duplicate())}});
}

void PrintSummary(const Session& session, const StreamSummary& summary) {
  if (session.json) {
    std::cout << "{\"accepted\": " << summary.accepted << ", \"duplicates\": " << summary.duplicates
              << ", \"deliveries\": " << summary.deliveries << ", \"refused\": " << summary.refused << "}\n";
    return;
  }
  PrintFields({{"accepted", std::to_string(summary.accepted)},
               {"duplicates", std::to_string(summary.duplicates)},
               {"deliveries", std::to_string(summary.deliveries)},
               {"refused", std::to_string(summary.refused)}});
}

// Lines into batches, batches into the stream. Bad lines are told and counted, as events that hookd refuses
// are.
class FilePublisher {
 public:
  FilePublisher(Session& session, Duration retry_for)
      : session_(session),
        publisher_(session.Connect(), retry_for, RealClock(),
                   [this](uint64_t line, const v1::PublishResult& result) {
                     TellRefusal(line, CodeName(result.code()) + ": " + result.message());
                   }) {}

  void Run(int fd) {
    LineReader reader(fd);
    for (;;) {
      std::string_view line;
      const LineReader::Result result = reader.Next(Patience(), line);
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

  void Add(uint64_t number, std::string_view line) {
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
    std::cerr << "hookctl: line " << number << ": " << why << "\n";
    if (told_ == kToldRefusals) std::cerr << "hookctl: further refusals are only counted\n";
  }

  Session& session_;
  Batch batch_;
  size_t bytes_ = 0;
  bool failed_ = false;
  uint64_t refused_lines_ = 0;
  std::mutex mutex_;
  uint64_t told_ = 0;          // guarded by mutex_
  StreamPublisher publisher_;  // last: its thread tells refusals
};

void PublishFile(Session& session, const Flags& flags) {
  using google::protobuf::util::TimeUtil;
  const auto retry_for = ParseDuration(flags.retry_for);
  if (!retry_for) return session.UsageError("--retry-for is such as 30s");
  const int fd = flags.file == "-" ? STDIN_FILENO : open(flags.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return session.UsageError("cannot read " + flags.file + ": " + std::strerror(errno));
  const auto asked = std::chrono::milliseconds(TimeUtil::DurationToMilliseconds(*retry_for));
  FilePublisher publisher(session, std::min<std::chrono::milliseconds>(asked, kMaxRetryFor));
  publisher.Run(fd);
  if (fd != STDIN_FILENO) close(fd);
}

void Publish(Session& session, Flags& flags) {
  if (!flags.file.empty()) return PublishFile(session, flags);
  if (flags.event.subscriber_id().empty() || flags.event.type().empty()) {
    return session.UsageError("give --subscriber and --type, or --file");
  }
  if (flags.event.payload().empty() && flags.payload_file.empty()) {
    return session.UsageError("give --payload or --payload-file");
  }
  PublishOne(session, flags);
}

}  // namespace

void AddEventCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("events", "what happened on the platform");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* publish = noun.add_subcommand("publish", "hand over one event, or a file of them");
  const auto text = [publish, flags](const char* name, std::string* (v1::NewEvent::*field)(),
                                     const char* help) {
    return publish->add_option(name, *(flags->event.*field)(), help);
  };
  CLI::Option* file = publish->add_option(
      "--file", flags->file,
      "lines of JSON, - = standard input: subscriber_id, type, payload, and the other fields of NewEvent");
  publish->add_option("--retry-for", flags->retry_for,
                      "with --file: how long to try again without an answer, at most a year; only events "
                      "with an idempotency_key "
                      "are sent again");
  text("--subscriber", &v1::NewEvent::mutable_subscriber_id, "whose event it is")->excludes(file);
  text("--type", &v1::NewEvent::mutable_type, "such as message:in:new")->excludes(file);
  text("--channel", &v1::NewEvent::mutable_channel, "the number or device it belongs to")->excludes(file);
  text("--ordering-key", &v1::NewEvent::mutable_ordering_key, "such as the chat")->excludes(file);
  text("--idempotency-key", &v1::NewEvent::mutable_idempotency_key, "the platform's own id of it")
      ->excludes(file);
  publish
      ->add_option("--not-before", flags->not_before, "no attempt starts earlier: RFC 3339, or 15m from now")
      ->excludes(file);
  publish
      ->add_option("--expires", flags->expires,
                   "what is not delivered by then expires: RFC 3339, or 15m from now")
      ->excludes(file);
  text("--traceparent", &v1::NewEvent::mutable_traceparent, "W3C trace context")->excludes(file);
  CLI::Option* payload =
      text("--payload", &v1::NewEvent::mutable_payload, "JSON text, sent byte for byte")->excludes(file);
  publish->add_option("--payload-file", flags->payload_file, "a file that holds it; - = standard input")
      ->excludes(file)
      ->excludes(payload);
  publish->callback([&session, flags] { Publish(session, *flags); });
}

}  // namespace hookd::cli
