// The calls that providers' customers know, beside hookd's own API, for whoever has a subscriber's key:
// /v1/configs/webhook (webhook_config.h) and /api2/msg_get* (message_gets.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>

#include "dispatcher/api/authenticator.h"

namespace hookd {

class Toolbox;

inline constexpr size_t kMaxRestBodyBytes = 64 * 1024;
// Received or being answered at a time; a further one is told to come again.
inline constexpr size_t kMaxRestRequests = 8;

struct RestRequest {
  std::string method;
  std::string target;  // path and query; may hold a key: never logged
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string remote;  // the client's address, without a port
  bool body_too_large = false;
};

struct RestAnswer {
  int status = 200;
  std::string body;  // JSON
};

// Null = there is none. The first of that name, in any case.
const std::string* FindHeader(const RestRequest& request, std::string_view name);

// The value of that name in the target's query, as it stands there: escapes are not undone, as ids, keys and
// numbers have none. Nullopt = it is not there. Of several, the first.
std::optional<std::string_view> QueryValue(std::string_view target, std::string_view name);

// Thread-safe. Outlives the port.
class ProviderRest {
 public:
  ProviderRest();
  ~ProviderRest();  // closes

  // What the target says is one of its calls.
  static bool Takes(std::string_view target);

  // All outlive Close. Until then, and after Close, every call is refused. A key is always needed, also
  // without `auth.required`.
  void Open(const AuthOptions& auth, Engine& engine, const Toolbox* tools, Telemetry& telemetry,
            const Clock& clock);
  // What was begun is answered when it returns; nothing uses the engine after it. Idempotent.
  void Close();

  // Null: there are kMaxRestRequests already, and Busy is the answer.
  std::shared_ptr<void> TakePlace();
  static RestAnswer Busy(std::string_view target);
  // Answers on `executor`. One request after the other, as each may change what the next one reads.
  void Start(RestRequest request, boost::asio::any_io_executor executor,
             std::function<void(RestAnswer)> done);
  // Blocks on the disk.
  RestAnswer Answer(const RestRequest& request);

 private:
  absl::Mutex mutex_;
  Engine* engine_ ABSL_GUARDED_BY(mutex_) = nullptr;
  const Toolbox* tools_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::optional<Authenticator> keys_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<size_t> places_;  // taken; the port's thread
  boost::asio::thread_pool pool_{1};
};

}  // namespace hookd
