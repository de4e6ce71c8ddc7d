// Sends samples to an endpoint, one after the other, and tells what came of each.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/tools/diagnosis.h"
#include "dispatcher/tools/one_shot.h"
#include "dispatcher/tools/tool_rules.h"
#include "dispatcher/transport/http_transport.h"

namespace hookd {

inline constexpr size_t kMaxTestSamples = 16;
inline constexpr size_t kMaxTestBytes = 1024 * 1024;  // of all payloads of one call

// One exchange as the tools show it.
struct ToolExchange {
  Attempt attempt;  // with headers and body, also of a success; number 0 = it was not made
  Diagnosis diagnosis;
  std::shared_ptr<const PeerCertificate> certificate;
};

// `settings`: whose success codes and secret headers count.
ToolExchange MakeToolExchange(const Endpoint& settings, const std::string& url,
                              const std::vector<std::pair<std::string, std::string>>& headers, WallMs started,
                              HttpResult result);

// What is sent of one event alone: its payload, as an array where the endpoint batches the type.
std::string BodyOf(const DeliveryPolicy& policy, const Event& event);

struct SampleToSend {
  std::string type;
  Sample sample;
};

struct SampleResult {
  std::shared_ptr<const Event> event;  // its id is the webhook-id, its payload what was sent
  std::string sample;
  ToolExchange exchange;
};

// A bin that stands in for a URL.
struct BinTarget {
  std::string id;
  std::string url;
};

// Lives until `done` has run.
class SampleRun : public std::enable_shared_from_this<SampleRun> {
 public:
  struct Context {
    OneShot& one_shot;
    const Clock& clock;
    std::string user_agent;
  };
  // OK: one result for each sample. `done` must not block.
  using Done = std::function<void(absl::StatusOr<std::vector<SampleResult>>)>;

  // INVALID_ARGUMENT names the sample whose type or payload is none.
  static absl::StatusOr<std::shared_ptr<SampleRun>> Make(const Context& context, Endpoint endpoint,
                                                         const std::vector<SampleToSend>& samples,
                                                         std::optional<BinTarget> bin);

  // `stop` is asked before each further request: true = nothing more is sent, and `done` runs.
  void Start(Done done, std::function<bool()> stop);

 private:
  SampleRun(const Context& context, Endpoint endpoint, std::optional<BinTarget> bin)
      : context_(context), endpoint_(std::move(endpoint)), bin_(std::move(bin)) {}

  void Next();
  void Ended(WallMs started, std::vector<std::pair<std::string, std::string>> headers, HttpResult result);

  const Context context_;
  const Endpoint endpoint_;
  const std::optional<BinTarget> bin_;
  std::vector<SampleResult> results_;  // those to come have no exchange yet; of one thread at a time
  size_t next_ = 0;
  Done done_;
  std::function<bool()> stop_;
};

}  // namespace hookd
