#include "dispatcher/transport/curl_transport.h"

#include <ares.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <absl/hash/hash.h>
#include <absl/strings/str_cat.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>

#include "base/check.h"
#include "dispatcher/transport/exchange.h"
#include "dispatcher/transport/multi_loop.h"
#include "dispatcher/transport/resolver.h"
#include "dispatcher/transport/target.h"

namespace hookd {
namespace {

// Says nothing of the address, nor of whether anything answers there.
constexpr const char* kRefusedTarget = "the host or port may not be sent to";
constexpr const char* kRefusedAddresses = "no address of the host may be connected to";
constexpr const char* kNoSource = "no egress.source_addresses has the family of the host's addresses";

constexpr size_t kMaxAddressesTried = 4;  // of one name, in one attempt
// While other addresses remain, one that does not answer (TLS included) gets no more than this and its even
// share.
constexpr std::chrono::seconds kMaxConnectShare{5};

// The path of an exchange: Send -> (resolver) -> Start -> MultiLoop -> OnTransferDone -> (Start with the next
// address) -> Complete. A verdict puts it on the drain list, which cuts slow bodies.
class CurlTransport final : public HttpTransport {
 public:
  CurlTransport(boost::asio::io_context& io, const CurlTransportOptions& options, const Clock& clock)
      : io_(io),
        clock_(clock),
        settings_{options.ca_file, options.insecure_skip_tls_verification, options.path},
        egress_(options.egress ? options.egress : std::make_shared<const EgressPolicy>()),
        resolver_(io, clock, options.dns_servers),
        name_timer_(io),
        drain_timer_(io),
        multis_(options.multis),
        http2_multis_(options.http2_multis),
        loop_(io, clock, options.multis + options.http2_multis, options.multis, options.connections_per_multi,
              [this](CURL* easy, CURLcode code) { OnTransferDone(easy, code); }) {}

  ~CurlTransport() override {
    for (Exchange* exchange : live_) {
      if (exchange->added) loop_.Remove(exchange->multi, exchange->easy());
    }
  }

  void Send(HttpRequest request, Callback done) override;
  void CancelAll() override;

 private:
  using NameDeadline = std::pair<SteadyTime, Exchange*>;

  Exchange* Acquire();
  void OnResolved(Exchange& exchange, const Resolution& resolution);
  void OnVerdict(Exchange& exchange);
  void OnTransferDone(CURL* easy, CURLcode code);
  void Start(Exchange& exchange);
  const EgressRules& Rules();
  bool HasSource(const Ip& ip) const;
  bool SkipRefused(Exchange& exchange);
  size_t MultiFor(const Exchange& exchange, const std::string& address) const;
  void FailLater(Exchange& exchange, TransferError error);
  void Complete(Exchange& exchange, HttpResult result);
  void StopNaming(Exchange& exchange);
  void ArmNameTimer();
  void ArmDrainTimer();
  void CutDrained();

  boost::asio::io_context& io_;
  const Clock& clock_;
  const ExchangeSettings settings_;
  const std::shared_ptr<const EgressPolicy> egress_;
  std::shared_ptr<const EgressRules> rules_;  // of `rules_version_`
  uint64_t rules_version_ = 0;
  // As many as were ever in flight together. Never freed before the transport, so that a late answer of the
  // resolver can look at `generation`.
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> idle_;
  std::vector<Exchange*> live_;
  TargetCache targets_;
  Resolver resolver_;
  std::set<NameDeadline> naming_;  // wait for the resolver; a name in the cache never comes here
  boost::asio::steady_timer name_timer_;
  std::list<Exchange*> draining_;  // by drain_until: kDrainTime is constant
  boost::asio::steady_timer drain_timer_;
  bool drain_timer_armed_ = false;
  const size_t multis_;  // the first of the loop's; the rest are for HTTP/2
  const size_t http2_multis_;
  MultiLoop loop_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // handlers may outlive this object
};

Exchange* CurlTransport::Acquire() {
  if (idle_.empty()) {
    exchanges_.push_back(std::make_unique<Exchange>(
        clock_, settings_, [this](Exchange& e) { OnVerdict(e); },
        [this](const Ip& ip) { return Rules().RefuseAddress(ip).empty(); },
        [this](curl_socket_t socket) { loop_.Opened(socket); }));
    idle_.push_back(exchanges_.back().get());
  }
  Exchange* exchange = idle_.back();
  idle_.pop_back();
  exchange->live_index = live_.size();
  live_.push_back(exchange);
  return exchange;
}

void CurlTransport::Send(HttpRequest request, Callback done) {
  Exchange& exchange = *Acquire();
  exchange.Begin(std::move(request), std::move(done));
  exchange.target = targets_.Get(exchange.request().url);
  if (!exchange.target) return FailLater(exchange, {ErrorKind::kName, "the URL names no http(s) host"});

  const std::string& host = exchange.target->host;
  const bool guarded = !exchange.request().to_self;
  if (guarded && !Rules().RefuseTarget(host, exchange.target->port).empty()) {
    return FailLater(exchange, {ErrorKind::kRefusedAddress, kRefusedTarget});
  }
  exchange.addresses = exchange.target->literal ? exchange.target->literal : resolver_.Known(host);
  if (exchange.addresses) return Start(exchange);

  exchange.naming = true;
  naming_.emplace(exchange.deadline, &exchange);
  ArmNameTimer();
  resolver_.Resolve(host, [this, &exchange, generation = exchange.generation](const Resolution& resolution) {
    if (exchange.generation == generation) OnResolved(exchange, resolution);
  });
}

void CurlTransport::OnResolved(Exchange& exchange, const Resolution& resolution) {
  StopNaming(exchange);
  exchange.resolved = clock_.Steady();
  if (resolution.error != ErrorKind::kNone) {
    return Complete(exchange, exchange.Failed({resolution.error, resolution.detail}));
  }
  exchange.addresses = resolution.addresses;
  Start(exchange);
}

// Reloaded rules count from the next look on.
const EgressRules& CurlTransport::Rules() {
  if (const uint64_t version = egress_->version(); version != rules_version_) {
    rules_ = egress_->Get();
    rules_version_ = version;
  }
  return *rules_;
}

bool CurlTransport::HasSource(const Ip& ip) const {
  const EgressPath& path = settings_.path;
  if (path.proxy || (!path.source_v4 && !path.source_v6)) return true;
  return (ip.v6 ? path.source_v6 : path.source_v4).has_value();
}

// Moves on to the next address that may be connected to; false = there is none.
bool CurlTransport::SkipRefused(Exchange& exchange) {
  const std::vector<std::string>& addresses = *exchange.addresses;
  if (exchange.request().to_self) return exchange.next_address < addresses.size();
  const EgressRules& rules = Rules();
  for (; exchange.next_address < addresses.size(); ++exchange.next_address) {
    const std::optional<Ip> ip = ParseIp(addresses[exchange.next_address]);
    const bool refused = !ip || !rules.RefuseAddress(*ip).empty();
    if (!refused && HasSource(*ip)) return true;
    exchange.refused_any |= refused;
  }
  return false;
}

// May run inside Send, so it never completes an exchange itself.
void CurlTransport::Start(Exchange& exchange) {
  const std::vector<std::string>& addresses = *exchange.addresses;
  if (!SkipRefused(exchange)) {
    if (exchange.refused_any) return FailLater(exchange, {ErrorKind::kRefusedAddress, kRefusedAddresses});
    return FailLater(exchange, {ErrorKind::kLocal, kNoSource});
  }
  Duration left = exchange.deadline - clock_.Steady();
  if (left <= Duration::zero())
    return FailLater(exchange, {ErrorKind::kTimeout, "no time was left to connect"});
  size_t tries_left = std::min(addresses.size() - exchange.next_address, kMaxAddressesTried - exchange.tries);
  ++exchange.tries;
  Duration connect = tries_left > 1 ? std::min<Duration>(left / tries_left, kMaxConnectShare) : left;
  const std::string& address = addresses[exchange.next_address++];

  exchange.multi = MultiFor(exchange, address);
  exchange.added = exchange.Prepare(address, connect, left) && loop_.Add(exchange.multi, exchange.easy());
  if (!exchange.added) FailLater(exchange, {ErrorKind::kLocal, "out of memory"});
}

// An address, port and scheme always meet the same multi: connections are kept per multi. HTTP/2 has multis
// of its own: libcurl would send its requests over an HTTP/1.1 connection that is idle.
size_t CurlTransport::MultiFor(const Exchange& exchange, const std::string& address) const {
  size_t hash = absl::HashOf(exchange.target->https, address, exchange.target->port);
  if (exchange.request().http_version == HttpVersion::kHttp2) return multis_ + hash % http2_multis_;
  return hash % multis_;
}

void CurlTransport::OnTransferDone(CURL* easy, CURLcode code) {
  char* pointer = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &pointer);
  Exchange& exchange = *reinterpret_cast<Exchange*>(pointer);
  exchange.added = false;
  HttpResult result = exchange.Result(code);
  if (exchange.CouldNotConnect(code) && exchange.addresses->size() > 1) {
    resolver_.Demote(exchange.target->host, (*exchange.addresses)[exchange.next_address - 1]);
    if (exchange.tries < kMaxAddressesTried && SkipRefused(exchange) && clock_.Steady() < exchange.deadline) {
      if (result.error != ErrorKind::kLocal) exchange.connect_error = {result.error, result.error_detail};
      return Start(exchange);
    }
  }
  Complete(exchange, std::move(result));
}

void CurlTransport::FailLater(Exchange& exchange, TransferError error) {
  boost::asio::post(io_, [this, alive = std::weak_ptr(alive_), &exchange, generation = exchange.generation,
                          error = std::move(error)] {
    if (alive.expired() || exchange.generation != generation) return;
    Complete(exchange, exchange.Failed(error));
  });
}

// The callback may Send, which may take this very exchange: nothing of it is touched afterwards.
void CurlTransport::Complete(Exchange& exchange, HttpResult result) {
  StopNaming(exchange);
  if (exchange.draining) draining_.erase(exchange.drain_position);
  live_.back()->live_index = exchange.live_index;
  std::swap(live_[exchange.live_index], live_.back());
  live_.pop_back();
  Callback done = exchange.Release();
  idle_.push_back(&exchange);
  done(std::move(result));
}

void CurlTransport::CancelAll() {
  // What a callback sends anew is not meant.
  std::vector<std::pair<Exchange*, uint64_t>> all;
  all.reserve(live_.size());
  for (Exchange* exchange : live_) all.emplace_back(exchange, exchange->generation);
  for (auto [exchange, generation] : all) {
    if (exchange->generation != generation) continue;
    if (exchange->added) loop_.Remove(exchange->multi, exchange->easy());
    Complete(*exchange, exchange->Failed({ErrorKind::kLocal, "shutting down"}));
  }
}

void CurlTransport::StopNaming(Exchange& exchange) {
  if (!std::exchange(exchange.naming, false)) return;
  naming_.erase({exchange.deadline, &exchange});
}

void CurlTransport::ArmNameTimer() {
  if (naming_.empty()) return;
  name_timer_.expires_after(naming_.begin()->first - clock_.Steady());
  name_timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    SteadyTime now = clock_.Steady();
    while (!naming_.empty() && naming_.begin()->first <= now) {
      Exchange& exchange = *naming_.begin()->second;
      exchange.resolved = now;
      Complete(exchange, exchange.Failed({resolver_.KindOfSilence(exchange.target->host),
                                          "the name was not resolved within the timeout"}));
    }
    ArmNameTimer();
  });
}

// Inside libcurl: only notes.
void CurlTransport::OnVerdict(Exchange& exchange) {
  exchange.draining = true;
  exchange.drain_until = clock_.Steady() + kDrainTime;
  exchange.drain_position = draining_.insert(draining_.end(), &exchange);
  ArmDrainTimer();
}

// Armed for the head alone, and left to fire when that has gone: under load that is one timer every two
// seconds.
void CurlTransport::ArmDrainTimer() {
  if (drain_timer_armed_ || draining_.empty()) return;
  drain_timer_armed_ = true;
  drain_timer_.expires_after(draining_.front()->drain_until - clock_.Steady());
  drain_timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    drain_timer_armed_ = false;
    CutDrained();
    ArmDrainTimer();
  });
}

void CurlTransport::CutDrained() {
  SteadyTime now = clock_.Steady();
  while (!draining_.empty() && draining_.front()->drain_until <= now) {
    Exchange& exchange = *draining_.front();
    loop_.Remove(exchange.multi, exchange.easy());
    Complete(exchange, exchange.Result(CURLE_OPERATION_TIMEDOUT));
  }
}

}  // namespace

absl::Status CheckCaFile(const std::string& path) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  std::ifstream file(path);
  bool begun = false;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(kBegin)) begun = true;
    if (begun && line.starts_with(kEnd)) return absl::OkStatus();
  }
  const char* reason = file.is_open() && file.eof() ? " holds no PEM certificate" : " cannot be read";
  return absl::InvalidArgumentError(
      absl::StrCat("transport.ca_file: ", path, reason, ": give a PEM bundle (Debian: ca-certificates)"));
}

void InitCurl() {
  static const bool done = [] {
    HOOKD_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl does not start");
    HOOKD_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS, "c-ares does not start");
    // OpenSSL writes without MSG_NOSIGNAL, and CURLOPT_NOSIGNAL leaves SIGPIPE to us.
    std::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  (void)done;
}

std::unique_ptr<HttpTransport> MakeCurlTransport(boost::asio::io_context& io,
                                                 const CurlTransportOptions& options, const Clock& clock) {
  HOOKD_CHECK(options.multis >= 1 && options.multis <= 64, "multis: 1..64");
  HOOKD_CHECK(options.http2_multis >= 1 && options.http2_multis <= 64, "http2_multis: 1..64");
  HOOKD_CHECK(options.connections_per_multi >= 1 && options.connections_per_multi <= 1000,
              "connections_per_multi: 1..1000");
  return std::make_unique<CurlTransport>(io, options, clock);
}

}  // namespace hookd
