#include "dispatcher/tools/captures.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/concat.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/engine/request.h"
#include "dispatcher/tools/sample_run.h"

namespace hookd {

Captures::Captures(BinStore& bins, const DeliveryStore& store, const Clock& clock, std::string user_agent,
                   std::string address)
    : bins_(bins),
      store_(store),
      clock_(clock),
      user_agent_(std::move(user_agent)),
      address_(std::move(address)),
      work_(boost::asio::make_work_guard(io_)) {
  thread_ = std::thread([this] { io_.run(); });
}

Captures::~Captures() { Stop(); }

void Captures::Stop() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
}

std::string Captures::UrlOf(const std::string& bin) const { return Concat(address_, "/bin/", bin); }

std::string Captures::BinUrl(const Endpoint& endpoint) { return UrlOf(bins_.ForCapture(endpoint).id); }

void Captures::Pending(const std::shared_ptr<const Endpoint>& endpoint) {
  const WallMs now = clock_.Wall();
  if (!Capturing(*endpoint, now)) return;
  SessionPtr session;
  {
    absl::MutexLock lock(&mutex_);
    std::erase_if(sessions_, [now](const auto& one) { return !Capturing(*one.second->endpoint, now); });
    SessionPtr& slot = sessions_[endpoint->capture->bin];
    if (slot == nullptr) slot = std::make_shared<Session>(io_);
    slot->endpoint = endpoint;
    slot->again = true;
    if (std::exchange(slot->running, true)) return;
    session = slot;
  }
  bins_.ForCapture(*endpoint);
  boost::asio::post(io_, [this, session] { Step(session); });
}

void Captures::Step(const SessionPtr& session) {
  std::shared_ptr<const Endpoint> endpoint;
  {
    absl::MutexLock lock(&mutex_);
    endpoint = session->endpoint;
    session->again = false;
  }
  if (Capturing(*endpoint, clock_.Wall()) && ShowPage(*session, *endpoint)) {
    session->pause.expires_after(kCapturePause);
    session->pause.async_wait([this, session](const boost::system::error_code& error) {
      if (!error) Step(session);
    });
    return;
  }
  absl::MutexLock lock(&mutex_);
  session->running = session->again;
  if (session->running) boost::asio::post(io_, [this, session] { Step(session); });
}

bool Captures::ShowPage(Session& session, const Endpoint& endpoint) {
  if (!session.begun) {
    // Nothing is in flight, and the lane is held: neither moves until the capture ends.
    const absl::StatusOr<StoredEndpoint> stored = store_.ReadEndpoint(endpoint.id);
    absl::StatusOr<std::vector<ParkedDelivery>> parked = store_.ReadParked(endpoint.id, kCaptureParked);
    if (!stored.ok() || !parked.ok()) return false;
    session.next = stored->lane.cursor;
    session.parked = *std::move(parked);
    session.begun = true;
  }
  for (size_t rows = 0; session.shown < session.parked.size(); ++rows) {
    if (rows == kCaptureRows) return true;
    const ParkedDelivery& row = session.parked[session.shown++];
    const absl::StatusOr<std::shared_ptr<const Event>> event = store_.ReadEvent(row.event);
    if (event.ok()) Show(endpoint, *event, row.attempts + 1);
  }
  session.parked.clear();
  session.shown = 0;
  const absl::StatusOr<std::vector<QueuedDelivery>> rows =
      store_.ReadQueue(endpoint.id, session.next, kCaptureRows, kCaptureBytes);
  if (!rows.ok()) return false;
  for (const QueuedDelivery& row : *rows) {
    Show(endpoint, row.event, 1);
    session.next = row.sequence + 1;
  }
  return !rows->empty();
}

void Captures::Show(const Endpoint& endpoint, const std::shared_ptr<const Event>& event, uint32_t attempt) {
  const WallMs now = clock_.Wall();
  CapturedRequest request;
  request.method = "POST";
  request.body = BodyOf(endpoint.policy, *event);
  request.body_bytes = request.body.size();
  const std::string host = HostOf(endpoint.url);
  const size_t path = endpoint.url.find(host) + host.size();
  const size_t query = std::min(endpoint.url.find('?', path), endpoint.url.size());
  request.target = endpoint.url.substr(path, query - path);
  if (request.target.empty()) request.target = "/";
  if (query < endpoint.url.size()) request.target += "?...";
  // As libcurl would put them.
  request.headers.push_back({"Host", host});
  request.headers.push_back({"Accept", "*/*"});
  Work work;  // without its sequence: what is seen in passing is no delivery
  work.event = event;
  work.attempt = attempt;
  for (auto& [name, value] :
       RequestHeaders(endpoint, work, now, {1, user_agent_},
                      Sign(endpoint.signing_keys, now, event->id.ToString(), request.body))) {
    request.headers.push_back({std::move(name), std::move(value)});
  }
  request.headers.push_back({"Content-Length", std::to_string(request.body.size())});
  bins_.Keep(endpoint.capture->bin, std::move(request));
}

}  // namespace hookd
