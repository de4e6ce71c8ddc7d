// A hookd of the benchmark's own: a child process on free loopback ports, with a data folder that goes with
// it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "hookd/v1/operations_service.pb.h"

namespace hookd::bench {

class HookdProcess {
 public:
  // `binary`: path of hookd. `dir`: an empty folder.
  HookdProcess(const std::string& binary, const std::string& dir);
  ~HookdProcess();  // SIGTERM, and waits
  HookdProcess(const HookdProcess&) = delete;
  HookdProcess& operator=(const HookdProcess&) = delete;

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  double CpuSeconds() const;
  v1::ServerStatus Status() const;
  // Commits so far and what they held, from /metrics.
  struct Commits {
    double count = 0;
    double items = 0;
  };
  Commits CommitTotals() const;

  void CreateSubscriber(const std::string& id);
  // One PARALLEL endpoint per channel "0".."count-1", without a rate limit. Returns their ids.
  std::vector<std::string> CreateEndpoints(const std::string& subscriber, const std::string& url,
                                           size_t count);
  void Pause(const std::string& endpoint_id);

  // Publishes over one stream, `per_message` events each, round robin over `channels`, never more than
  // `max_pending` ahead of what was delivered (0 = as fast as they are accepted); returns once all are
  // acknowledged. Seconds taken.
  double Publish(const std::string& subscriber, size_t events, size_t per_message, size_t channels,
                 size_t payload_bytes, size_t max_pending);
  // Returns once nothing is pending.
  void WaitUntilDelivered() const;

 private:
  pid_t pid_ = 0;
  std::string http_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace hookd::bench
