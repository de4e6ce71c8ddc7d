// A recovery of many deliveries, killed again and again on its way: each is delivered, none twice by the job.
// HOOKD_JOB_DELIVERIES=100000 for the long form.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/engine/engine.h"
#include "storage/rocksdb_store.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::testing {
namespace {

constexpr size_t kKills = 10;
constexpr uint64_t kJobId = 1;
constexpr uint32_t kRate = 20'000;

size_t DeliveryCount() {
  const char* given = std::getenv("HOOKD_JOB_DELIVERIES");
  return given == nullptr ? 20'000 : std::strtoull(given, nullptr, 10);
}

// An engine on a folder, whose receiver answers everything with one status.
class Server {
 public:
  Server(const std::string& path, int status) : receiver_([status](const SentRequest&) { return status; }) {
    RocksDbOptions storage;
    storage.path = path;
    absl::StatusOr<std::unique_ptr<DeliveryStore>> store = OpenRocksDbStore(storage, RealClock());
    HOOKD_CHECK(store.ok(), store.status().ToString().c_str());
    store_ = *std::move(store);
    engine_ = std::make_unique<Engine>(
        EngineOptions(), *store_, RealClock(), telemetry_,
        [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); },
        [](const absl::Status& failed) { HOOKD_CHECK(failed.ok(), failed.ToString().c_str()); });
    HOOKD_CHECK(engine_->Start().ok(), "the engine starts");
  }
  ~Server() {
    engine_->Drain(std::chrono::seconds(10));
    engine_->Stop();
  }
  Engine& engine() { return *engine_; }

  // Blocks until nothing is pending.
  void WaitUntilDone() {
    const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(60);
    while (store_->Stats().pending > 0 && RealClock().Steady() < deadline) std::this_thread::yield();
    ASSERT_EQ(store_->Stats().pending, 0u);
  }

 private:
  NullTelemetry telemetry_;
  FakeReceiver receiver_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<Engine> engine_;
};

// The program that is killed: says how far the job is, a line for each change.
int RunVictim(const std::string& path) {
  Server server(path, 200);
  const absl::StatusOr<Job> begun = server.engine().GetJob(kJobId);
  HOOKD_CHECK(begun.ok(), "the job is kept");
  HOOKD_CHECK(server.engine().SetEndpointPaused(begun->endpoint, false, "").ok(), "it sends");
  uint64_t told = 0;
  for (;;) {
    const absl::StatusOr<Job> job = server.engine().GetJob(kJobId);
    HOOKD_CHECK(job.ok(), "the job is kept");
    if (job->done != told) std::printf("%llu\n", static_cast<unsigned long long>(told = job->done));
    std::fflush(stdout);
    if (job->state != JobState::kRunning) pause();  // for the kill
    std::this_thread::yield();
  }
}

// Starts the victim, and kills it when it has said so much.
void KillWhenDone(const std::string& path, uint64_t done) {
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  std::string self = "/proc/self/exe";
  std::string flag = "--victim";
  std::string folder = path;
  char* const argv[] = {self.data(), flag.data(), folder.data(), nullptr};
  const pid_t parent = getpid();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(out[1], STDOUT_FILENO) < 0) _exit(1);
    execv(argv[0], argv);
    _exit(127);
  }
  close(out[1]);
  std::FILE* lines = fdopen(out[0], "r");
  unsigned long long said = 0;
  while (said < done && std::fscanf(lines, "%llu", &said) == 1) {
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  std::fclose(lines);
  EXPECT_GE(said, done);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

EndpointId MakeEndpoint(Engine& engine) {
  Subscriber subscriber;
  subscriber.id = "acme";
  EXPECT_TRUE(engine.CreateSubscriber(subscriber).ok());
  Endpoint endpoint;
  endpoint.subscriber_id = "acme";
  endpoint.url = "http://127.0.0.1:1/hook";
  endpoint.signing_keys = {{std::string(32, 'k')}};
  endpoint.policy.mode = DeliveryMode::kParallel;
  endpoint.policy.rate.per_second = 0;
  endpoint.policy.max_retries = 0;
  endpoint.policy.disable.failures = 0;
  return engine.CreateEndpoint(endpoint)->endpoint->id;
}

void Publish(Engine& engine, size_t count) {
  for (size_t made = 0; made < count;) {
    std::vector<NewEvent> events(std::min<size_t>(1000, count - made));
    for (NewEvent& event : events) {
      event.event.subscriber_id = "acme";
      event.event.type = "t";
      event.event.payload = Concat("{\"n\": ", made++, "}");
    }
    absl::Notification done;
    ASSERT_TRUE(
        engine.Publish(std::move(events), [&](const std::vector<PublishOutcome>&) { done.Notify(); }).ok());
    done.WaitForNotification();
  }
}

void ForEachDelivery(Engine& engine, EndpointId endpoint, const std::function<void(const Delivery&)>& take) {
  DeliveryQuery query;
  query.endpoint = endpoint;
  query.limit = 1000;
  do {
    const absl::StatusOr<DeliveryPage> page = engine.ListDeliveries(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Delivery& delivery : page->deliveries) take(delivery);
    query.position = page->next_position;
  } while (!query.position.empty());
}

TEST(JobKillTest, TenKillsNeitherSkipNorRepeat) {
  const size_t count = DeliveryCount();
  TempDir dir;
  const std::string path = dir.path() / "data";
  EndpointId endpoint;
  {
    Server server(path, 500);
    endpoint = MakeEndpoint(server.engine());
    Publish(server.engine(), count);
    server.WaitUntilDone();
    const WallMs now = RealClock().Wall();
    while (RealClock().Wall() <= now + 1) std::this_thread::yield();  // what was made is in the past
    // This server would only exhaust again what the job makes.
    ASSERT_TRUE(server.engine().SetEndpointPaused(endpoint, true, "").ok());
    Job job;
    job.kind = JobKind::kRecover;
    job.endpoint = endpoint;
    job.rate = kRate;
    const absl::StatusOr<Job> started = server.engine().StartJob(job, false);
    ASSERT_TRUE(started.ok()) << started.status();
    ASSERT_EQ(started->id, kJobId);
  }
  for (size_t i = 1; i <= kKills; ++i) {
    KillWhenDone(path, count * i / (kKills + 1));
    if (HasFatalFailure()) return;
  }
  Server server(path, 200);
  const SteadyTime deadline = RealClock().Steady() + std::chrono::seconds(120);
  Job job = *server.engine().GetJob(kJobId);
  while (job.state == JobState::kRunning && RealClock().Steady() < deadline) {
    std::this_thread::yield();
    job = *server.engine().GetJob(kJobId);
  }
  EXPECT_EQ(job.state, JobState::kDone) << job.error;
  EXPECT_EQ(job.done, count);
  EXPECT_EQ(job.skipped, 0u);
  server.WaitUntilDone();

  size_t exhausted = 0;
  std::map<Sequence, size_t> replaced;
  std::map<Sequence, EventId> events;  // of what was published: first in the list
  ForEachDelivery(server.engine(), endpoint, [&](const Delivery& delivery) {
    if (delivery.origin == Origin::kPublish) {
      EXPECT_EQ(delivery.state, DeliveryState::kExhausted);
      EXPECT_TRUE(delivery.replaced_by.has_value()) << delivery.id.sequence;
      events[delivery.id.sequence] = delivery.event;
      ++exhausted;
    } else {
      EXPECT_EQ(delivery.state, DeliveryState::kSucceeded);
      EXPECT_EQ(delivery.event, events[delivery.replaces->sequence]) << delivery.id.sequence;
      ++replaced[delivery.replaces->sequence];
    }
  });
  EXPECT_EQ(exhausted, count);
  EXPECT_EQ(replaced.size(), count);
  for (const auto& [sequence, times] : replaced) EXPECT_EQ(times, 1u) << sequence;
}

}  // namespace

int Victim(const char* path) { return RunVictim(path); }

}  // namespace hookd::testing

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--victim") return hookd::testing::Victim(argv[2]);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
