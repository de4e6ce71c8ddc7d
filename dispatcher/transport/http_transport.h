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

enum class HttpMethod : uint8_t { kPost, kGet, kOptions };

// Names and values of `headers` have passed core/header_rules.h: no CR, LF or NUL.
struct HttpRequest {
  std::string url;  // passed core/url_rules.h
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const void> body_owner;  // keeps `body` alive until the callback has run
  std::string_view body;
  Millis timeout{30'000};  // one deadline over name, connect, TLS and response headers
  HttpVersion http_version = HttpVersion::kHttp11;
  std::optional<StatusRange> headers_unwanted;  // of answers with such a status
  HttpMethod method = HttpMethod::kPost;        // the others go without a body
  bool to_self = false;  // to hookd's own HTTP port: what applies to receivers' addresses does not
  // Over a connection of its own, whose every phase is seen; the receiver's certificate too.
  bool fresh = false;
  // The endpoint's own; null = none. With any, over a connection of its own too.
  std::shared_ptr<const TlsSettings> tls;
  // An access token goes along; its own request, which comes first where there is none, is beyond `timeout`.
  // Null = none. Only AuthorizingTransport looks at it.
  std::shared_ptr<const OAuth2Credentials> oauth2;
};

// Where an exchange was when it ended.
enum class ExchangePhase : uint8_t { kName, kConnect, kTls, kAnswer };

// What is wrong with a certificate, or with the handshake.
enum class TlsFault : uint8_t { kNone, kExpired, kNotYetValid, kName, kIssuer, kOther };

// The receiver's certificate, whether it is trusted or not. Texts are printable ASCII.
struct PeerCertificate {
  std::string subject;  // at most kMaxCertificateText bytes, as the issuer
  std::string issuer;
  std::vector<std::string> names;  // "example.com", "192.0.2.1": at most kMaxCertificateNames
  WallMs not_before_ms = 0;
  WallMs not_after_ms = 0;
  TlsFault fault = TlsFault::kNone;
};
inline constexpr size_t kMaxCertificateNames = 32;
inline constexpr size_t kMaxCertificateText = 256;

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
  ExchangePhase phase = ExchangePhase::kName;
  int os_errno = 0;  // of a connection that could not be made; 0 = none is known
  std::shared_ptr<const PeerCertificate> certificate;  // of fresh requests that came so far as TLS
  WallMs certificate_ends_ms = 0;  // of the receiver's, where this exchange's handshake showed it; 0 = none
  // 401 to an access token that had been taken before: the next request goes with a new one.
  bool token_refused = false;
  // Of kToken: what the exchange with its server came to; kNone = it answered.
  ErrorKind token_error = ErrorKind::kNone;
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
