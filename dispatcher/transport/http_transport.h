// The seam between deciding to send and sending. One transport per shard, used on the shard's thread alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// One POST. Names and values of `headers` have passed core/header_rules.h: no CR, LF or NUL.
struct HttpRequest {
  std::string url;  // passed core/url_rules.h
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const void> body_owner;  // keeps `body` alive until the callback has run
  std::string_view body;
  Millis timeout{30'000};  // one deadline over name, connect, TLS and response headers
  HttpVersion http_version = HttpVersion::kHttp11;
  std::optional<StatusRange> headers_unwanted;  // of answers with such a status
};

// What the exchange came to. `error` is kNone when a final response header block arrived (whatever its
// status): whether that status is a success is not the transport's to say.
struct HttpResult {
  ErrorKind error = ErrorKind::kNone;
  std::string error_detail;  // plain words, at most kMaxErrorDetail bytes
  int status = 0;
  std::string remote_address;
  int http_version = 0;
  PhaseTimes us;
  std::string body;  // the first kKeptBodyBytes, whatever the status
  bool body_truncated = false;
  uint32_t resends = 0;
  std::string headers;      // of the answer, as they came: lines of at most kKeptHeaderBytes in all
  std::string retry_after;  // the header's value as it came, at most 64 bytes; empty = none
};

// Thread: the shard's. Callbacks run on it too, never inside Send.
class HttpTransport {
 public:
  using Callback = std::function<void(HttpResult)>;
  virtual ~HttpTransport() = default;

  // Starts the exchange; `done` runs exactly once, unless the transport is destroyed before.
  virtual void Send(HttpRequest request, Callback done) = 0;

  // Ends every exchange now with kLocal ("shutting down"); their callbacks run before it returns.
  virtual void CancelAll() = 0;
};

}  // namespace hookd
