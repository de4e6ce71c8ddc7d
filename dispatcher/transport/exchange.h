// One transfer's state: what libcurl's callbacks write and the transport reads.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ip.h"
#include "dispatcher/transport/curl_errors.h"
#include "dispatcher/transport/curl_handles.h"
#include "dispatcher/transport/curl_transport.h"
#include "dispatcher/transport/header_list.h"
#include "dispatcher/transport/http_transport.h"
#include "dispatcher/transport/peer_certificate.h"
#include "dispatcher/transport/resolver.h"
#include "dispatcher/transport/target.h"

namespace hookd {

// What is the same for all of a transport's exchanges.
struct ExchangeSettings {
  std::string ca_file;  // empty = the system's
  bool insecure_skip_tls_verification = false;
  EgressPath path = {};
};

// Pooled: Begin, then Prepare for each address tried, Result, and Release. Thread: the
// shard's.
class Exchange {
 public:
  // Both run inside libcurl, so must not call it.
  using OnVerdict = std::function<void(Exchange&)>;
  using OnOpened = std::function<void(curl_socket_t)>;
  using MayConnect = std::function<bool(const Ip&)>;

  // `settings` outlives it.
  Exchange(const Clock& clock, const ExchangeSettings& settings, OnVerdict on_verdict, MayConnect may_connect,
           OnOpened on_opened);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void Begin(HttpRequest request, HttpTransport::Callback done);
  // Sets the easy handle for a transfer to `address`. `connect` and `total` count from now, at least 1 ms.
  bool Prepare(const std::string& address, Duration connect, Duration total);
  // What the last transfer came to.
  HttpResult Result(CURLcode code) const;
  // As Result, of an exchange that failed for a reason of our own or before libcurl had it. A verdict stands.
  HttpResult Failed(TransferError error) const;
  // Whether nothing was sent and the connection is what failed: another address may be tried.
  bool CouldNotConnect(CURLcode code) const;
  // Forgets the request; pending references to this exchange become stale.
  HttpTransport::Callback Release();

  CURL* easy() const { return easy_.get(); }
  const HttpRequest& request() const { return request_; }
  bool has_verdict() const { return verdict_; }

  // The transport's bookkeeping.
  uint64_t generation = 0;  // changes with each Release
  size_t live_index = 0;
  SteadyTime started;
  SteadyTime deadline;
  SteadyTime resolved;  // epoch until the name is resolved
  std::shared_ptr<const Target> target;
  Addresses addresses;
  size_t next_address = 0;
  size_t tries = 0;          // connections begun, each to an address of its own
  bool refused_any = false;  // of its addresses
  bool naming = false;       // waits for the resolver
  bool added = false;        // belongs to a multi: `multi`
  size_t multi = 0;
  std::optional<TransferError> connect_error;  // of an address tried before
  bool draining = false;                       // in the transport's list, at `drain_position`
  SteadyTime drain_until;
  std::list<Exchange*>::iterator drain_position;

 private:
  static size_t OnHeader(char* data, size_t size, size_t count, void* exchange);
  static size_t OnBody(char* data, size_t size, size_t count, void* exchange);
  static int OnRequest(void* exchange, char* remote, char* local, int remote_port, int local_port);
  static curl_socket_t OnOpenSocket(void* exchange, curlsocktype purpose, curl_sockaddr* address);
  // A new handle, with the constant options: what one transfer leaves in libcurl is nothing to the
  // next. 7.88.1 would append a folded line that comes first to a header of the answer before, which it has
  // freed.
  void Renew();
  void SetConstantOptions();
  // For what few requests ask; the handle keeps it for the other addresses.
  void SetMethod();
  void SetFresh(bool fresh);
  void SetTls(std::shared_ptr<const TlsSettings> tls);
  void SetProxied(bool proxied);
  static CURLcode OnTlsContext(CURL* easy, void* ssl_context, void* exchange);
  void SetHeaders();
  bool MayOpen(const Ip& ip);
  std::optional<TransferError> ProxyError(CURLcode code) const;
  long CurlHttpVersion() const;
  void SeeRetryAfter(std::string_view line);
  void SeeTransferEncoding(std::string_view line);
  void KeepHeader(std::string_view line);
  void EndHeaderBlock();
  Progress Reached() const;
  ExchangePhase Phase() const;
  long Info(CURLINFO info) const;
  int64_t InfoUs(CURLINFO info) const;
  void AddTimes(HttpResult& result) const;
  HttpResult Base() const;

  const Clock& clock_;
  const ExchangeSettings& settings_;
  const OnVerdict on_verdict_;
  const MayConnect may_connect_;
  const OnOpened on_opened_;
  HttpRequest request_;
  HttpTransport::Callback done_;
  HeaderList headers_;
  HeaderList connect_to_;
  std::string address_;  // of the last transfer
  std::array<char, CURL_ERROR_SIZE> message_{};

  bool opened_ = false;  // the last transfer made a connection of its own
  int socket_errno_ = 0;
  bool refused_ = false;  // the last transfer, for where it led
  uint32_t sends_ = 0;    // of the request, over all connections
  SteadyTime sent_at_;
  SteadyTime first_byte_at_;
  size_t header_bytes_ = 0;
  size_t body_bytes_ = 0;
  std::string body_;
  bool verdict_ = false;
  int status_ = 0;
  std::string retry_after_;   // of the header block that is being read, then of the final one
  std::string header_lines_;  // likewise: as many whole lines as are kept
  bool header_lines_cut_ = false;
  bool coded_ = false;                         // likewise: the body has a transfer coding beside chunked
  std::optional<TransferError> header_error_;  // why our own callback ended the transfer before a verdict
  HttpMethod method_ = HttpMethod::kPost;      // the handle's
  bool fresh_ = false;                         // likewise
  bool proxied_ = false;                       // likewise
  std::shared_ptr<const TlsSettings> tls_;     // likewise; libcurl reads it where it is
  SeenCertificate seen_;

  EasyHandle easy_;  // last: goes first
};

}  // namespace hookd
