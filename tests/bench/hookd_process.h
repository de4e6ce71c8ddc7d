// A hookd of the benchmark's own: a child process on free loopback ports, asked through its public
// interfaces.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/operations_service.pb.h"
#include "tests/bench/child_process.h"

namespace hookd::bench {

// Endpoints without a rate limit, one channel each: "0" to "count-1".
struct EndpointSet {
  std::string subscriber;
  size_t count = 0;
  size_t first_channel = 0;                // then those after it
  std::optional<uint32_t> max_retries;     // instead of the default
  std::optional<int64_t> timeout_seconds;  // likewise
  std::optional<uint64_t> backlog;         // likewise; 0 = as much as the disk holds
  bool every_channel = false;              // no filter: each gets all events of the subscriber
  v1::DeliveryMode mode = v1::DELIVERY_MODE_PARALLEL;
  std::function<std::string(size_t)> url;  // of the i-th
};

class HookdProcess {
 public:
  // `binary`: path of hookd. `dir`: an empty folder. `settings`: further lines of the configuration; without
  // "egress:" among them, loopback is allowed.
  HookdProcess(std::string binary, const std::string& dir, const std::string& settings = "");

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  double CpuSeconds() const { return child_->CpuSeconds(); }
  double ResidentMebibytes() const { return child_->ResidentMebibytes(); }
  double WrittenMebibytes() const { return child_->WrittenMebibytes(); }
  v1::ServerStatus Status() const;
  // Commits so far and what they held, from /metrics.
  struct Commits {
    double count = 0;
    double items = 0;
  };
  Commits CommitTotals() const;

  // SIGKILL. Only Start may follow.
  void Kill();
  // Starts it on what is there; returns once it is ready.
  void Start();

  void CreateSubscriber(const std::string& id);
  // Several calls at a time; one that is refused for want of threads is made again, and the number of those
  // is printed. All are durable when it returns.
  void CreateEndpoints(const std::vector<EndpointSet>& sets);
  void PauseSubscriber(const std::string& id);
  void ResumeSubscriber(const std::string& id);

  // Returns once nothing is pending.
  void WaitUntilDelivered() const;

 private:
  const std::string binary_;
  const std::string config_;
  std::optional<ChildProcess> child_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace hookd::bench
