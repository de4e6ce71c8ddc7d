// A gRPC server over a real engine and a store in memory whose commits a test can hold back.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "dispatcher/api/api_server.h"
#include "dispatcher/api/audit_forms.h"
#include "dispatcher/api/gateway.h"
#include "dispatcher/engine/backup_runner.h"
#include "dispatcher/tools/toolbox.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/forwarding_store.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/profiles/profiles.h"

namespace hookd::testing {

// Commits wait while the gate is closed.
class GatedStore final : public ForwardingStore {
 public:
  void SetGate(bool open) {
    absl::MutexLock lock(&mutex_);
    open_ = open;
  }

  absl::Status Commit(WallMs now) override {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&open_));
    }
    return ForwardingStore::Commit(now);
  }

 private:
  absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
};

// Counts refusals, which tells a test that a message has arrived.
class CountingTelemetry final : public NullTelemetry {
 public:
  void EventRejected(std::string_view reason) override {
    absl::MutexLock lock(&mutex_);
    ++rejected_;
    ++by_reason_[std::string(reason)];
  }

  int rejected(const std::string& reason) {
    absl::MutexLock lock(&mutex_);
    return by_reason_[reason];
  }

  // False after 20 s.
  bool WaitForRejected(int count) {
    absl::MutexLock lock(&mutex_);
    const auto holds = [this, count] {
      mutex_.AssertHeld();
      return rejected_ >= count;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Seconds(20));
  }

 private:
  absl::Mutex mutex_;
  int rejected_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int> by_reason_ ABSL_GUARDED_BY(mutex_);
};

// One backup, which is whole.
class OneBackup final : public Backups {
 public:
  absl::StatusOr<BackupInfo> Create(std::atomic<uint64_t>&) override { return Info(); }
  absl::Status Verify(uint32_t, std::atomic<uint64_t>&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<BackupInfo>> List() const override { return std::vector{Info()}; }
  void Stop() override {}

 private:
  static BackupInfo Info() {
    BackupInfo info;
    info.id = 1;
    return info;
  }
};

class ApiTest : public ::testing::Test {
 protected:
  static constexpr size_t kIntakeBytes = 4096;

  // `rules`: with the tools.
  explicit ApiTest(const ToolRules* rules = nullptr,
                   std::shared_ptr<const Profiles> profiles = SmallProfiles(), const AuthOptions& auth = {},
                   const ServerTlsOptions& tls = {}) {
    EngineOptions options;
    if (rules != nullptr) {
      ToolboxOptions tool_options;
      tool_options.public_url = "https://hooks.example";
      tools_ = std::make_unique<Toolbox>(
          tool_options,
          [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); },
          *rules, bins_, store_, RealClock(), "127.0.0.1:1");
      options.captures = &tools_->captures();
    }
    options.audit = &ApiAuditForms();
    options.shards = 1;
    options.intake_bytes = kIntakeBytes;
    options.profiles = std::move(profiles);
    engine_ = std::make_unique<Engine>(
        options, store_, RealClock(), telemetry_,
        [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); },
        [](const absl::Status& status) { ADD_FAILURE() << status; });
    EXPECT_TRUE(engine_->Start().ok());
    Subscriber subscriber;
    subscriber.id = "acme";
    EXPECT_TRUE(engine_->CreateSubscriber(subscriber).ok());
    ApiServerOptions api;
    api.listen = "127.0.0.1:0";
    api.gateway = &gateway_;
    api.tools = tools_.get();
    api.backups = &backup_runner_;
    api.auth = auth;
    api.tls = tls;
    api.certificate_check = std::chrono::seconds(1);
    absl::StatusOr<std::unique_ptr<ApiServer>> server =
        ApiServer::Start(api, *engine_, telemetry_, RealClock());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }

  ~ApiTest() override {
    store_.SetGate(true);
    if (server_ != nullptr) server_->StopIntake();
    engine_->Drain(Duration::zero());
    if (server_ != nullptr) server_->Shutdown(std::chrono::seconds(10));
    if (tools_ != nullptr) tools_->Stop();
    engine_->Stop();
  }

  CountingTelemetry telemetry_;
  FakeReceiver receiver_;
  GatedStore store_;
  BinStore bins_{RealClock()};
  std::unique_ptr<Toolbox> tools_;
  OneBackup backups_;
  BackupRunner backup_runner_{backups_, Millis(0), RealClock(), telemetry_};
  std::unique_ptr<Engine> engine_;
  Gateway gateway_;
  std::unique_ptr<ApiServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace hookd::testing
