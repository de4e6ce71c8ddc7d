#include "dispatcher/telemetry/prometheus_telemetry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/telemetry/event_log.h"
#include "dispatcher/telemetry/metrics.h"
#include "dispatcher/telemetry/process_stats.h"

namespace hookd {
namespace {

using std::chrono::microseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class PrometheusTelemetryTest : public ::testing::Test {
 protected:
  PrometheusTelemetryTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hookd-telemetry-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    telemetry_ = MakeTelemetry({"info", LogFile()});
  }
  ~PrometheusTelemetryTest() override {
    telemetry_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::string LogFile() const { return (dir_ / "hookd.log").string(); }

  std::string RawLog() {
    telemetry_.reset();  // writes out what is queued
    std::ifstream stream(LogFile());
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }

  // Ends the telemetry. Every line has to be a JSON object.
  std::vector<boost::json::object> Lines() {
    std::istringstream stream(RawLog());
    std::vector<boost::json::object> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(boost::json::parse(line).as_object());
    return lines;
  }

  bool Scraped(const std::string& line) const {
    return ("\n" + telemetry_->Scrape()).find("\n" + line + "\n") != std::string::npos;
  }

  std::filesystem::path dir_;
  std::unique_ptr<Telemetry> telemetry_;
};

Attempt FailedAttempt() {
  Attempt attempt;
  attempt.number = 3;
  attempt.started_ms = 1'714'564'800'007;
  attempt.us = {.name = 1500, .connect = 0, .tls = 0, .first_byte = 20'000, .total = 21'000};
  attempt.error = ErrorKind::kStatus;
  attempt.error_detail = "answered 500 \"oops\"\n\xFF";
  attempt.status = 500;
  attempt.remote_address = "127.0.0.1:8080";
  attempt.http_version = 11;
  attempt.response_body = "the-response-body";
  attempt.body_truncated = true;
  attempt.resends = 1;
  attempt.next_due_ms = 1'714'564'815'007;
  return attempt;
}

AttemptEvent EventOf(const Attempt& attempt) {
  AttemptEvent event;
  event.delivery = {.bucket = 476'268, .endpoint = EndpointId::Make(7, 42), .sequence = 9};
  event.event = EventId::Make(1'714'564'800'000, 0, 7, 1);
  event.subscriber_id = "acme";
  event.event_type = "message:in:new";
  event.url_host = "receiver.example:8443";
  event.attempt = &attempt;
  event.queued = microseconds(250'000);
  return event;
}

TEST_F(PrometheusTelemetryTest, EverySeriesIsThereFromTheStart) {
  EXPECT_TRUE(Scraped("hookd_events_accepted_total 0"));
  EXPECT_TRUE(Scraped("hookd_events_rejected_total{reason=\"resource_exhausted\"} 0"));
  for (const char* state : {"succeeded", "exhausted", "expired", "canceled"}) {
    EXPECT_TRUE(Scraped("hookd_deliveries_ended_total{state=\"" + std::string(state) + "\"} 0")) << state;
  }
  for (const char* outcome :
       {"success", "status", "timeout", "name", "connect", "tls", "protocol", "response_too_big", "local"}) {
    EXPECT_THAT(telemetry_->Scrape(),
                HasSubstr("hookd_attempts_total{outcome=\"" + std::string(outcome) + "\",status_class=\""))
        << outcome;
  }
  for (const char* phase : {"name", "connect", "tls", "first_byte", "total"}) {
    EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"" + std::string(phase) + "\"} 0"))
        << phase;
  }
  EXPECT_TRUE(Scraped("hookd_log_lines_dropped_total 0"));
  EXPECT_THAT(telemetry_->Scrape(), HasSubstr("hookd_build_info{version=\"0.1.0\"} 1"));
  EXPECT_THAT(telemetry_->Scrape(), HasSubstr("process_start_time_seconds 1"));
}

TEST_F(PrometheusTelemetryTest, CountsEvents) {
  telemetry_->EventsAccepted(3, 7, 2);
  telemetry_->EventsAccepted(1, 0, 0);
  telemetry_->EventRejected("invalid_argument");
  telemetry_->EventRejected("acme's own words");
  EXPECT_TRUE(Scraped("hookd_events_accepted_total 4"));
  EXPECT_TRUE(Scraped("hookd_deliveries_created_total 7"));
  EXPECT_TRUE(Scraped("hookd_events_duplicate_total 2"));
  EXPECT_TRUE(Scraped("hookd_events_rejected_total{reason=\"invalid_argument\"} 1"));
  EXPECT_TRUE(Scraped("hookd_events_rejected_total{reason=\"unknown\"} 1"));
  EXPECT_THAT(telemetry_->Scrape(), Not(HasSubstr("acme")));
}

TEST_F(PrometheusTelemetryTest, CountsCommits) {
  telemetry_->Committed(microseconds(700), 64, 65'536);
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"0.0005\"} 0"));
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"0.001\"} 1"));
  EXPECT_TRUE(Scraped("hookd_commit_batch_items_bucket{le=\"32\"} 0"));
  EXPECT_TRUE(Scraped("hookd_commit_batch_items_bucket{le=\"64\"} 1"));
  EXPECT_TRUE(Scraped("hookd_commit_batch_items_sum 64"));
  EXPECT_TRUE(Scraped("hookd_committed_bytes_total 65536"));
}

TEST_F(PrometheusTelemetryTest, CountsAttemptsByOutcomeAndPhase) {
  const Attempt failed = FailedAttempt();
  telemetry_->AttemptDone(EventOf(failed));
  Attempt good;
  good.number = 1;
  good.started_ms = 1'714'564'800'004;
  good.status = 204;
  good.us = {.name = 0, .connect = 900, .tls = 4000, .first_byte = 1000, .total = 6000};
  telemetry_->AttemptDone(EventOf(good));
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"status\",status_class=\"5xx\"} 1"));
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"success\",status_class=\"2xx\"} 1"));
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"timeout\",status_class=\"none\"} 0"));
  EXPECT_TRUE(Scraped("hookd_resends_total 1"));
  // A reused connection has no connect and no TLS: zeros would hide what real ones take.
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"name\"} 1"));
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"connect\"} 1"));
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"tls\"} 1"));
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"first_byte\"} 2"));
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_count{phase=\"total\"} 2"));
  EXPECT_TRUE(Scraped("hookd_attempt_duration_seconds_bucket{phase=\"total\",le=\"0.01\"} 1"));
  EXPECT_TRUE(Scraped("hookd_queue_delay_seconds_bucket{le=\"0.1\"} 0"));
  EXPECT_TRUE(Scraped("hookd_queue_delay_seconds_bucket{le=\"0.5\"} 2"));
  EXPECT_TRUE(Scraped("hookd_queue_delay_seconds_sum 0.5"));
  // Accepted at ..000: the good one was a first attempt and took 6 ms, the failed one was the third.
  EXPECT_TRUE(Scraped("hookd_first_attempt_delay_seconds_count 1"));
  EXPECT_TRUE(Scraped("hookd_first_attempt_delay_seconds_sum 0.004"));
  EXPECT_TRUE(Scraped("hookd_success_delay_seconds_count 1"));
  EXPECT_TRUE(Scraped("hookd_success_delay_seconds_sum 0.01"));
}

TEST_F(PrometheusTelemetryTest, AnAttemptWithoutAnAnswerHasNoStatusClass) {
  Attempt broken = FailedAttempt();
  broken.error = ErrorKind::kProtocol;  // after 100 Continue, say
  broken.status = 100;
  telemetry_->AttemptDone(EventOf(broken));
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"protocol\",status_class=\"none\"} 1"));
  Attempt odd = FailedAttempt();
  odd.status = 999;
  telemetry_->AttemptDone(EventOf(odd));
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"status\",status_class=\"other\"} 1"));
}

TEST_F(PrometheusTelemetryTest, ABucketHoldsItsBoundAndInfinityHoldsAll) {
  telemetry_->Committed(microseconds(100), 1, 1);
  telemetry_->Committed(microseconds(101), 1, 1);
  telemetry_->Committed(microseconds(5'000'001), 1, 1);
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"0.0001\"} 1"));
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"0.00025\"} 2"));
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"5\"} 2"));
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_bucket{le=\"+Inf\"} 3"));
  EXPECT_TRUE(Scraped("hookd_commit_duration_seconds_count 3"));
}

TEST_F(PrometheusTelemetryTest, CountsJobs) {
  telemetry_->JobProgress(100, 40);
  telemetry_->JobProgress(1, 0);
  telemetry_->JobEnded(JobEnd::kCanceled);
  EXPECT_TRUE(Scraped("hookd_job_items_examined_total 101"));
  EXPECT_TRUE(Scraped("hookd_job_deliveries_created_total 40"));
  EXPECT_TRUE(Scraped("hookd_jobs_ended_total{result=\"canceled\"} 1"));
  EXPECT_TRUE(Scraped("hookd_jobs_ended_total{result=\"done\"} 0"));
}

TEST_F(PrometheusTelemetryTest, CountsBatchesByTheirMembers) {
  for (const size_t members : {1, 2, 3, 25, 25}) telemetry_->BatchFormed(members);
  EXPECT_TRUE(Scraped("hookd_batch_members_bucket{le=\"1\"} 1"));
  EXPECT_TRUE(Scraped("hookd_batch_members_bucket{le=\"2\"} 2"));
  EXPECT_TRUE(Scraped("hookd_batch_members_bucket{le=\"5\"} 3"));
  EXPECT_TRUE(Scraped("hookd_batch_members_bucket{le=\"10\"} 3"));
  EXPECT_TRUE(Scraped("hookd_batch_members_bucket{le=\"25\"} 5"));
  EXPECT_TRUE(Scraped("hookd_batch_members_sum 56"));
}

TEST_F(PrometheusTelemetryTest, CountsProbes) {
  telemetry_->ProbeDone(ErrorKind::kNone);
  telemetry_->ProbeDone(ErrorKind::kStatus);
  telemetry_->ProbeDone(ErrorKind::kConnect);
  EXPECT_TRUE(Scraped("hookd_probes_total{result=\"success\"} 1"));
  EXPECT_TRUE(Scraped("hookd_probes_total{result=\"failure\"} 2"));
  EXPECT_TRUE(Scraped("hookd_probes_total{result=\"local\"} 0"));
}

TEST_F(PrometheusTelemetryTest, ShowsBackupsWhereThereAreAny) {
  Gauges gauges;
  telemetry_->SetGauges([&gauges] { return gauges; });
  EXPECT_EQ(telemetry_->Scrape().find("hookd_backup"), std::string::npos);
  gauges.backup = {true, true, 3'600, 1'714'564'800'500, 12.5, 1'000, 123, 4, 1};
  EXPECT_TRUE(Scraped("hookd_backup_running 1"));
  EXPECT_TRUE(Scraped("hookd_backup_interval_seconds 3600"));
  EXPECT_TRUE(Scraped("hookd_backup_last_success_timestamp_seconds 1714564800.5"));
  EXPECT_TRUE(Scraped("hookd_backup_last_duration_seconds 12.5"));
  EXPECT_TRUE(Scraped("hookd_backup_last_bytes 1000"));
  EXPECT_TRUE(Scraped("hookd_backup_last_copied_bytes 123"));
  EXPECT_TRUE(Scraped("hookd_backups_made_total 4"));
  EXPECT_TRUE(Scraped("hookd_backups_failed_total 1"));
}

TEST_F(PrometheusTelemetryTest, ShowsLanesAndTheDatabase) {
  EXPECT_TRUE(Scraped("hookd_ready 0"));
  Gauges gauges;
  gauges.ready = true;
  gauges.now_ms = 1'714'564'890'500;
  gauges.lanes.oldest_accepted_ms = 1'714'564'800'000;
  gauges.lanes.disabled = 3;
  gauges.jobs_running = 2;
  gauges.certificates = {7, 1, 1'714'565'000'000};
  gauges.database.stalls = 4;
  telemetry_->SetGauges([&gauges] { return gauges; });
  EXPECT_TRUE(Scraped("hookd_ready 1"));
  EXPECT_TRUE(Scraped("hookd_oldest_pending_age_seconds 90.5"));
  EXPECT_TRUE(Scraped("hookd_active_endpoints{state=\"disabled\"} 3"));
  EXPECT_TRUE(Scraped("hookd_active_endpoints{state=\"enabled\"} 0"));
  EXPECT_TRUE(Scraped("hookd_jobs_running 2"));
  EXPECT_TRUE(Scraped("hookd_receiver_certificates 7"));
  EXPECT_TRUE(Scraped("hookd_receiver_certificates_expiring 1"));
  EXPECT_TRUE(Scraped("hookd_receiver_certificate_soonest_end_seconds 1714565000"));
  EXPECT_TRUE(Scraped("hookd_database_stalls_total 4"));
  gauges.lanes.oldest_accepted_ms = 0;
  EXPECT_TRUE(Scraped("hookd_oldest_pending_age_seconds 0"));
}

TEST(ProcessStatsTest, KnowsThisProcess) {
  const ProcessStats before = ReadProcessStats();
  EXPECT_GT(before.cpu_seconds, 0);
  EXPECT_GT(before.resident_bytes, 1'000'000U);
  EXPECT_GE(before.virtual_bytes, before.resident_bytes);
  EXPECT_GE(before.threads, 1U);
  EXPECT_GT(before.max_descriptors, before.open_descriptors);
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(ReadProcessStats().open_descriptors, before.open_descriptors + 1);
  close(fd);
}

TEST_F(PrometheusTelemetryTest, NamesNobodyInTheMetrics) {
  const Attempt failed = FailedAttempt();
  const AttemptEvent event = EventOf(failed);
  telemetry_->AttemptDone(event);
  EXPECT_THAT(telemetry_->Scrape(),
              AllOf(Not(HasSubstr("acme")), Not(HasSubstr("receiver.example")),
                    Not(HasSubstr(event.delivery.endpoint.ToString())), Not(HasSubstr("message:in:new"))));
}

TEST_F(PrometheusTelemetryTest, KeepsTotals) {
  telemetry_->EventsAccepted(3, 7, 2);
  telemetry_->DeliveriesEnded(DeliveryState::kSucceeded, 5);
  telemetry_->DeliveriesEnded(DeliveryState::kCanceled, 2);
  const Attempt failed = FailedAttempt();
  telemetry_->AttemptDone(EventOf(failed));
  EXPECT_EQ(telemetry_->Since().events_accepted, 3U);
  EXPECT_EQ(telemetry_->Since().deliveries_succeeded, 5U);
  EXPECT_EQ(telemetry_->Since().attempts_failed, 1U);
  EXPECT_TRUE(Scraped("hookd_deliveries_ended_total{state=\"succeeded\"} 5"));
  EXPECT_TRUE(Scraped("hookd_deliveries_ended_total{state=\"canceled\"} 2"));
}

TEST_F(PrometheusTelemetryTest, ReadsGaugesAtEveryScrapeUntilTheyAreTakenAway) {
  EXPECT_THAT(telemetry_->Scrape(), Not(HasSubstr("hookd_pending_deliveries")));
  uint64_t calls = 0;
  telemetry_->SetGauges([&calls] {
    return Gauges{.pending_deliveries = ++calls,
                  .attempts_in_flight = 20,
                  .endpoints = 30,
                  .endpoints_disabled = 4,
                  .endpoints_paused = 5,
                  .subscribers = 40,
                  .intake_bytes = 50,
                  .bytes_on_disk = 60};
  });
  EXPECT_TRUE(Scraped("hookd_pending_deliveries 1"));
  EXPECT_TRUE(Scraped("hookd_pending_deliveries 2"));
  EXPECT_TRUE(Scraped("hookd_attempts_in_flight 20"));
  EXPECT_TRUE(Scraped("hookd_endpoints{state=\"enabled\"} 21"));
  EXPECT_TRUE(Scraped("hookd_endpoints{state=\"paused\"} 5"));
  EXPECT_TRUE(Scraped("hookd_endpoints{state=\"disabled\"} 4"));
  EXPECT_TRUE(Scraped("hookd_subscribers 40"));
  EXPECT_TRUE(Scraped("hookd_intake_bytes 50"));
  EXPECT_TRUE(Scraped("hookd_disk_bytes 60"));
  telemetry_->SetGauges(nullptr);
  EXPECT_THAT(telemetry_->Scrape(), Not(HasSubstr("hookd_pending_deliveries")));
  EXPECT_EQ(calls, 9U);
}

TEST_F(PrometheusTelemetryTest, LogsAnAttemptWithEveryFieldButTheBody) {
  const Attempt failed = FailedAttempt();
  const AttemptEvent event = EventOf(failed);
  telemetry_->AttemptDone(event);
  const std::vector<boost::json::object> lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  boost::json::object line = lines[0];
  EXPECT_THAT(std::string(line.at("time").as_string()),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
  line.erase("time");
  const boost::json::object expected = {
      {"level", "info"},
      {"event", "delivery.attempt"},
      {"delivery_id", event.delivery.ToString()},
      {"endpoint_id", event.delivery.endpoint.ToString()},
      {"sequence", 9},
      {"event_id", event.event.ToString()},
      {"subscriber_id", "acme"},
      {"event_type", "message:in:new"},
      {"url_host", "receiver.example:8443"},
      {"state", "PENDING"},
      {"attempt", 3},
      {"start_time", "2024-05-01T12:00:00.007Z"},
      {"queued_us", 250'000},
      {"outcome", "status"},
      {"error_detail", "answered 500 \"oops\"\n\xEF\xBF\xBD"},
      {"status", 500},
      {"remote_address", "127.0.0.1:8080"},
      {"http_version", "1.1"},
      {"name_us", 1500},
      {"connect_us", 0},
      {"tls_us", 0},
      {"first_byte_us", 20'000},
      {"total_us", 21'000},
      {"resends", 1},
      {"body_truncated", true},
      {"next_due_time", "2024-05-01T12:00:15.007Z"},
  };
  EXPECT_EQ(line, expected) << line;
  EXPECT_THAT(RawLog(), Not(HasSubstr("the-response-body")));
}

TEST_F(PrometheusTelemetryTest, ASuccessHasNoNextDueTime) {
  const Attempt good;
  telemetry_->AttemptDone(EventOf(good));
  const std::vector<boost::json::object> lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].at("outcome"), "success");
  EXPECT_EQ(lines[0].if_contains("next_due_time"), nullptr);
}

TEST_F(PrometheusTelemetryTest, AnAttemptOfATracedEventSaysItsTrace) {
  const Attempt good;
  AttemptEvent event = EventOf(good);
  telemetry_->AttemptDone(event);
  event.trace_id = "0af7651916cd43dd8448eb211c80319c";
  telemetry_->AttemptDone(event);
  const std::vector<boost::json::object> lines = Lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].if_contains("trace_id"), nullptr);
  EXPECT_EQ(lines[1].at("trace_id"), "0af7651916cd43dd8448eb211c80319c");
}

TEST_F(PrometheusTelemetryTest, LogsMessagesAsJsonInTheirOrder) {
  telemetry_->Info("app.start", "said \"hello\" {} %v %n");
  telemetry_->Warn("disk.low", "line\nbreak");
  telemetry_->Error("commit.failed", std::string_view("nul\0\xC3", 5));
  const std::vector<boost::json::object> lines = Lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].at("level"), "info");
  EXPECT_EQ(lines[0].at("event"), "app.start");
  EXPECT_EQ(lines[0].at("message"), "said \"hello\" {} %v %n");
  EXPECT_EQ(lines[1].at("level"), "warn");
  EXPECT_EQ(lines[1].at("message"), "line\nbreak");
  EXPECT_EQ(lines[2].at("level"), "error");
  EXPECT_EQ(std::string(lines[2].at("message").as_string()), std::string("nul\0\xEF\xBF\xBD", 7));
}

TEST_F(PrometheusTelemetryTest, LevelSilencesWhatIsBelow) {
  telemetry_ = MakeTelemetry({"warn", LogFile()});
  Attempt good;
  good.status = 200;
  telemetry_->Info("a", "");
  telemetry_->AttemptDone(EventOf(good));
  telemetry_->Warn("b", "");
  EXPECT_TRUE(Scraped("hookd_attempts_total{outcome=\"success\",status_class=\"2xx\"} 1"));
  const std::vector<boost::json::object> lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].at("event"), "b");
}

TEST_F(PrometheusTelemetryTest, AppendsToAFileThatIsThere) {
  telemetry_->Info("first", "");
  telemetry_.reset();
  telemetry_ = MakeTelemetry({"info", LogFile()});
  telemetry_->Info("second", "");
  EXPECT_EQ(Lines().size(), 2U);
}

TEST_F(PrometheusTelemetryTest, UsesStandardErrorWhenTheFileCannotBeOpened) {
  ::testing::internal::CaptureStderr();
  telemetry_ = MakeTelemetry({"info", (dir_ / "no" / "such" / "dir").string()});
  telemetry_->Info("after", "");
  telemetry_.reset();
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      AllOf(HasSubstr("\"event\":\"log.file\""), HasSubstr("cannot open"), HasSubstr("\"event\":\"after\"")));
}

TEST_F(PrometheusTelemetryTest, DropsTheOldestLinesAndCountsThemWhenNobodyReadsTheLog) {
  const std::string fifo = (dir_ / "fifo").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int fd = open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  telemetry_ = MakeTelemetry({"info", fifo});
  constexpr size_t kLines = 4 * kLogQueueLines;
  for (size_t i = 0; i < kLines; ++i) telemetry_->Info("flood", "x");  // returns although the pipe is full
  telemetry_->Info("last", "");
  const std::string scrape = telemetry_->Scrape();
  const std::string name = "\nhookd_log_lines_dropped_total ";
  const size_t dropped = std::stoul(scrape.substr(scrape.find(name) + name.size()));
  EXPECT_GE(dropped, 2 * kLogQueueLines);

  std::string log;
  while (log.find("\"last\"") == std::string::npos || log.back() != '\n') {
    std::array<char, 65536> chunk{};
    const ssize_t got = read(fd, chunk.data(), chunk.size());
    ASSERT_GT(got, 0);
    log.append(chunk.data(), static_cast<size_t>(got));
  }
  EXPECT_EQ(static_cast<size_t>(std::count(log.begin(), log.end(), '\n')) + dropped, kLines + 1);
  telemetry_.reset();
  close(fd);
}

TEST_F(PrometheusTelemetryTest, AFatalLineIsThereAtOnce) {
  telemetry_->Fatal("hookd.fatal", "the store \"failed\"");
  std::ifstream stream(LogFile());
  std::string line;
  ASSERT_TRUE(std::getline(stream, line));
  const boost::json::object object = boost::json::parse(line).as_object();
  EXPECT_EQ(object.at("level"), "error");
  EXPECT_EQ(object.at("event"), "hookd.fatal");
  EXPECT_EQ(object.at("message"), "the store \"failed\"");
  EXPECT_EQ(object.at("time").as_string().size(), 24u);
}

TEST(EventLogTest, ALogThatNobodyReadsHoldsUpNoFatalLine) {
  const std::string fifo =
      (std::filesystem::temp_directory_path() / ("hookd-fifo-" + std::to_string(getpid()))).string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int reader = open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  while (write(reader, "full", 4) > 0) {
  }
  EventLog log("info", fifo);
  log.WriteNow("hookd.fatal", JsonLine());  // returns
  close(reader);
  unlink(fifo.c_str());
}

}  // namespace
}  // namespace hookd
