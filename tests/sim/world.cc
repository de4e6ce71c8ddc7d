#include "tests/sim/world.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "base/concat.h"
#include "tests/fakes/simulation.h"

namespace hookd::sim {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Simulation;
using Answer = Simulation::Answer;

constexpr size_t kMaxFaults = 5;
constexpr size_t kMaxBurst = 30;            // events published at once
constexpr size_t kWatchedSends = 40;        // the rate is held to the last so many
constexpr Duration kDrain = hours(24 * 4);  // for everything to end, once all is well

enum class Weather { kFair, kSlow, kFails, kRefuses, kHangs, kBusy, kUnavailable };

struct Place {
  Endpoint made;  // as it was created
  bool deleted = false;
  // Its policy was changed and something from before is pending: order, failures and rate are not judged.
  bool new_policy = false;
  uint64_t expected = 0;  // deliveries that were acknowledged
  Weather weather = Weather::kFair;
  Duration weather_until{};
  std::deque<Duration> sends;
  std::map<std::string, Sequence> last;            // by order key: the newest that was sent
  std::map<Sequence, size_t> arrived;              // how often with success
  std::map<Sequence, size_t> arrived_lost;         // of them, those whose outcome died with a kill
  std::multiset<Sequence> in_flight;               // the first of each exchange
  std::map<Sequence, std::vector<Sequence>> well;  // of those in flight: what arrives with them
};

class World {
 public:
  explicit World(const Options& options)
      : options_(options),
        random_(options.seed),
        simulation_([this](const Endpoint& endpoint, const Work& work) { return Receive(endpoint, work); }) {
    simulation_.on_end = [this](const Endpoint& endpoint, const Work& work) {
      Place& place = places_.at(endpoint.id.value);
      place.in_flight.erase(place.in_flight.find(work.sequence));
      place.well.erase(work.sequence);
    };
    const size_t count = 2 + Draw(5);
    for (size_t i = 0; i < count; ++i) Create();
  }

  Verdict Run() {
    while (simulation_.elapsed() < hours(24 * options_.days)) Tick();
    Heal();
    simulation_.RunUntil(simulation_.elapsed() + minutes(2));
    Heal();  // what was in flight could disable an endpoint
    simulation_.RunUntil(simulation_.elapsed() + kDrain);
    if (options_.forget_last_publish) Forget();
    Judge();
    verdict_.attempts = simulation_.sent.size();
    for (const Simulation::Sent& sent : simulation_.sent) {
      for (const uint64_t part : {sent.endpoint.value, uint64_t{sent.sequence}, uint64_t{sent.attempt},
                                  static_cast<uint64_t>(sent.at.count())}) {
        verdict_.fingerprint = (verdict_.fingerprint ^ part) * 0x100000001b3;
      }
    }
    return std::move(verdict_);
  }

 private:
  uint64_t Draw(uint64_t below) { return std::uniform_int_distribution<uint64_t>(0, below - 1)(random_); }
  bool Chance(double of) { return std::uniform_real_distribution<double>(0, 1)(random_) < of; }
  Duration Between(Duration least, Duration most) {
    return least + milliseconds(Draw(static_cast<uint64_t>((most - least) / milliseconds(1)) + 1));
  }
  void Fault(std::string text) {
    if (verdict_.faults.size() < kMaxFaults) {
      verdict_.faults.push_back(Concat("at ", simulation_.elapsed() / seconds(1), " s: ", std::move(text)));
    }
  }
  static std::string Name(EndpointId id, Sequence sequence) { return Concat(id.value, "/", sequence); }

  // Endpoints.

  DeliveryPolicy DrawPolicy() {
    DeliveryPolicy policy;
    policy.mode = static_cast<DeliveryMode>(1 + Draw(3));
    policy.max_in_flight = static_cast<uint32_t>(1 + Draw(16));
    policy.max_retries = Chance(0.2) ? static_cast<uint32_t>(Draw(6)) : 100;
    policy.backoff.kind = static_cast<BackoffKind>(1 + Draw(4));
    policy.backoff.step = Millis(1'000 * (1 + Draw(30)));
    policy.backoff.schedule = {Millis(5'000), Millis(60'000), Millis(600'000)};
    policy.rate = {static_cast<uint32_t>(Draw(8)), static_cast<uint32_t>(1 + Draw(8))};
    if (Chance(0.3)) policy.disable.failures = static_cast<uint32_t>(Draw(20));
    if (Chance(0.3)) policy.disable.span = Millis(1'000 * Draw(3'600));
    if (Chance(0.4))
      policy.batch = {{"t"}, static_cast<uint32_t>(1 + Draw(kMaxBatchMembers)), Millis(Draw(3'000))};
    if (Chance(0.2)) policy.backlog = 20 + Draw(200);
    return policy;
  }

  void Create() {
    Endpoint endpoint;
    endpoint.subscriber_id = "acme";
    endpoint.url = Concat("http://host", places_.size(), ".example/");
    endpoint.policy = DrawPolicy();
    const EndpointId id = simulation_.Put(endpoint);
    endpoint.id = id;
    places_[id.value].made = endpoint;
  }

  void Update(Place& place, const std::function<void(Endpoint&)>& change, bool afresh = false) {
    if (place.deleted) return;
    auto endpoint = std::make_shared<Endpoint>(*simulation_.Find(place.made.id));
    change(*endpoint);
    simulation_.Change([&](Ledger& ledger) { ledger.PutEndpoint(endpoint, afresh); });
  }

  static void Enable(Endpoint& endpoint) {
    endpoint.disabled = DisableReason::kNone;
    endpoint.disabled_ms = 0;
    endpoint.paused = false;
  }

  void Delete(Place& place) {
    if (place.deleted) return;
    simulation_.Change(
        [&](Ledger& ledger) { ledger.RemoveEndpoint(**ledger.registry().Find(place.made.id)); });
    place.deleted = true;
  }

  Place& Any() {
    auto it = places_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(Draw(places_.size())));
    return it->second;
  }

  // Receivers.

  Answer Receive(const Endpoint& endpoint, const Work& work) {
    Place& place = places_.at(endpoint.id.value);
    Watch(place, work);
    Answer answer = Weigh(place);
    const bool success = answer.error == ErrorKind::kNone;
    std::vector<Sequence> members;
    if (work.batch == nullptr) members.push_back(work.sequence);
    if (work.batch != nullptr) {
      for (const Batch::Member& member : work.batch->members) members.push_back(member.sequence);
    }
    place.in_flight.insert(work.sequence);
    if (success) {
      for (const Sequence member : members) ++place.arrived[member];
      place.well[work.sequence] = std::move(members);
    }
    return answer;
  }

  Answer Weigh(Place& place) {
    if (simulation_.elapsed() >= place.weather_until) place.weather = Weather::kFair;
    switch (place.weather) {
      case Weather::kFair:
        return {200, ErrorKind::kNone, "", Between(milliseconds(1), milliseconds(300))};
      case Weather::kSlow:
        return {200, ErrorKind::kNone, "", Between(seconds(1), seconds(29))};
      case Weather::kFails:
        return {500, ErrorKind::kStatus, "", Between(milliseconds(1), seconds(2))};
      case Weather::kRefuses:
        return {0, ErrorKind::kConnect, "", milliseconds(1)};
      case Weather::kHangs:
        return {0, ErrorKind::kTimeout, "", seconds(30)};
      case Weather::kBusy:
        return {429, ErrorKind::kStatus, Concat(Draw(120)), milliseconds(5)};
      case Weather::kUnavailable:
        return {0, ErrorKind::kLocal, "", milliseconds(5)};
    }
    return {};
  }

  void Turn(Place& place, Weather weather, Duration lasting) {
    place.weather = weather;
    place.weather_until = simulation_.elapsed() + lasting;
  }

  // What is promised of each attempt.
  void Watch(Place& place, const Work& work) {
    const EndpointId id = place.made.id;
    const std::shared_ptr<const Endpoint> now = simulation_.Find(id);
    if (place.deleted || now == nullptr)
      return Fault(Concat(Name(id, work.sequence), " was sent after the end"));
    if (now->paused || now->disabled != DisableReason::kNone) {
      Fault(Concat(Name(id, work.sequence), " was sent while its endpoint was held"));
    }
    if (work.failures > now->policy.max_retries && !place.new_policy) {
      Fault(Concat(Name(id, work.sequence), " was tried after ", work.failures, " failures"));
    }
    // While the clock is not trusted, nothing expires.
    const bool trusted = !simulation_.ledger().operations().clock_suspect;
    if (trusted && work.batch == nullptr && work.event->expires_ms != 0 &&
        simulation_.now.wall >= work.event->expires_ms) {
      Fault(Concat(Name(id, work.sequence), " was sent although it had expired"));
    }
    if (place.in_flight.contains(work.sequence)) {
      Fault(Concat(Name(id, work.sequence), " was in flight twice"));
    }
    const DeliveryPolicy& policy = place.made.policy;
    if (!place.new_policy) WatchOrder(place, work);
    const size_t bound = policy.mode == DeliveryMode::kOrdered ? 1 : policy.max_in_flight;
    if (!place.new_policy && place.in_flight.size() >= bound) {
      Fault(Concat(Name(id, work.sequence), " was beside ", place.in_flight.size(), " others"));
    }
    place.sends.push_back(simulation_.elapsed());
    if (place.sends.size() > kWatchedSends) place.sends.pop_front();
    if (policy.rate.per_second > 0 && !place.new_policy) WatchRate(place);
  }

  void WatchOrder(Place& place, const Work& work) {
    if (place.made.policy.mode == DeliveryMode::kParallel) return;
    const std::string key = place.made.policy.mode == DeliveryMode::kKeyed ? work.event->ordering_key : "";
    Sequence& last = place.last[key];
    if (work.sequence < last) {
      Fault(Concat(Name(place.made.id, work.sequence), " was sent after ", last, ", key \"", key, "\""));
    }
    last = work.sequence;
  }

  void WatchRate(Place& place) {
    const RateLimit& rate = place.made.policy.rate;
    for (size_t first = 0; first < place.sends.size(); ++first) {
      const double span = std::chrono::duration<double>(place.sends.back() - place.sends[first]).count();
      const auto count = static_cast<double>(place.sends.size() - first);
      // A millisecond for what is stored in milliseconds.
      if (count > rate.burst + (span + 0.001) * rate.per_second + 1e-6) {
        return Fault(Concat("endpoint ", place.made.id.value, ": ", std::to_string(count),
                            " attempts within ", std::to_string(span), " s"));
      }
    }
  }

  // A day.

  void Tick() {
    const double what = std::uniform_real_distribution<double>(0, 1)(random_);
    if (what < 0.45) {
      Publish();
    } else if (what < 0.60) {
      Turn(Any(), static_cast<Weather>(Draw(7)), Between(seconds(1), hours(3)));
    } else if (what < 0.62) {
      const Weather outage = Chance(0.5) ? Weather::kRefuses : Weather::kHangs;
      const Duration lasting = Between(minutes(1), hours(1));
      for (auto& [id, place] : places_) Turn(place, outage, lasting);
    } else if (what < 0.70) {
      Steer();
    } else if (what < 0.72) {
      ChangePolicy(Any());
    } else if (what < 0.75) {
      CancelOne();
    } else if (what < 0.80) {
      Kill();
    } else if (what < 0.82) {
      LosePublish();
    } else if (what < 0.83) {
      simulation_.now.wall += static_cast<WallMs>(Draw(3 * 3'600'000)) - 3'600'000;
    } else if (what < 0.835) {
      Delete(Any());
    } else if (what < 0.84 && places_.size() < 12) {
      Create();
    } else if (what < 0.85) {
      simulation_.Change([](Ledger& ledger) {
        Operations operations = ledger.operations();
        operations.clock_suspect = false;
        ledger.SetOperations(operations);
      });
    } else if (what < 0.87) {
      simulation_.Change([](Ledger& ledger) {
        ledger.Keep({hours(24 * 400), hours(24 * 400), hours(24 * 400)}, false);
      });
    }
    simulation_.RunUntil(simulation_.elapsed() + (Chance(0.5) ? Between(milliseconds(0), seconds(5))
                                                              : Between(seconds(1), minutes(10))));
    if (Chance(0.02)) Kill();  // in the middle of what the last step began
  }

  Event DrawEvent() {
    Event event;
    event.subscriber_id = "acme";
    event.type = Chance(0.9) ? "t" : "u";
    event.payload = "{}";
    if (Chance(0.7)) event.ordering_key = std::string(1, static_cast<char>('a' + Draw(5)));
    if (Chance(0.03)) event.expires_ms = simulation_.now.wall + 1'000 + static_cast<WallMs>(Draw(86'400'000));
    if (Chance(0.02)) event.not_before_ms = simulation_.now.wall + static_cast<WallMs>(Draw(600'000));
    return event;
  }

  // Once all that was before its policy changed has ended, what follows is judged by the new one.
  void JudgeAgain(Place& place) {
    const EndpointId id = place.made.id;
    if (!place.new_policy || place.deleted || simulation_.store().Lane(id)->pending() > 0) return;
    place.new_policy = false;
    place.made.policy = simulation_.Find(id)->policy;
    place.last.clear();
    place.sends.clear();
  }

  void Publish() {
    for (auto& [id, place] : places_) JudgeAgain(place);
    const size_t count = 1 + Draw(kMaxBurst);
    if (options_.forget_last_publish) before_last_ = simulation_.store().Reopen();
    for (size_t i = 0; i < count; ++i) simulation_.Publish(DrawEvent());
    verdict_.events += count;
    for (auto& [id, place] : places_) {
      if (!place.deleted) place.expected += count;
    }
  }

  // Of an event that was never acknowledged, nothing may be left.
  void LosePublish() {
    Died();
    simulation_.Lose([&](Ledger& ledger) { (void)ledger.Accept({DrawEvent(), std::nullopt}); });
  }

  void Kill() {
    Died();
    simulation_.Restart();
  }

  void Died() {
    ++verdict_.kills;
    for (auto& [id, place] : places_) {
      for (const auto& [first, members] : place.well) {
        for (const Sequence member : members) ++place.arrived_lost[member];
      }
      place.well.clear();
      place.in_flight.clear();
      place.sends.clear();
    }
  }

  void Steer() {
    Place& place = Any();
    switch (Draw(4)) {
      case 0:
        return Update(place, [](Endpoint& endpoint) { endpoint.paused = true; });
      case 1:
        return Update(place, [](Endpoint& endpoint) { endpoint.paused = false; });
      case 2:
        return Update(place, [&](Endpoint& endpoint) {
          endpoint.disabled = DisableReason::kPerson;
          endpoint.disabled_ms = simulation_.now.wall;
        });
      default:
        return Update(place, &Enable, true);
    }
  }

  void ChangePolicy(Place& place) {
    if (place.deleted) return;
    place.new_policy = true;
    const DeliveryPolicy policy = DrawPolicy();
    Update(place, [&](Endpoint& endpoint) { endpoint.policy = policy; });
  }

  void CancelOne() {
    Place& place = Any();
    if (place.deleted) return;
    std::vector<Delivery> pending;
    for (Delivery& delivery : simulation_.Deliveries(place.made.id)) {
      if (delivery.state == DeliveryState::kPending) pending.push_back(std::move(delivery));
    }
    if (pending.empty()) return;
    const Delivery& one = pending[Draw(pending.size())];
    if (Chance(0.5)) {
      simulation_.End(one);
    } else {
      simulation_.Retry(one.id);
    }
  }

  void Heal() {
    for (auto& [id, place] : places_) {
      Turn(place, Weather::kFair, {});
      Update(place, &Enable, true);
    }
  }

  void Forget() { simulation_.RestartFrom(*before_last_); }

  // What is promised of a life.
  void Judge() {
    for (auto& [id, place] : places_) {
      const std::vector<Delivery> deliveries = simulation_.Deliveries(place.made.id);
      verdict_.deliveries += deliveries.size();
      if (deliveries.size() != place.expected) {
        Fault(Concat("endpoint ", id, ": ", place.expected, " deliveries were acknowledged, ",
                     deliveries.size(), " are there"));
      }
      for (const Delivery& delivery : deliveries) JudgeOne(place, delivery);
    }
  }

  void JudgeOne(Place& place, const Delivery& delivery) {
    const Sequence sequence = delivery.id.sequence;
    const std::string name = Name(place.made.id, sequence);
    const size_t arrived = place.arrived[sequence];
    const size_t lost = place.arrived_lost[sequence];
    if (arrived > 1) ++verdict_.repeated;
    switch (delivery.state) {
      case DeliveryState::kPending:
        // Of a deleted endpoint it waits for the sweeper, which is none of this world.
        if (!place.deleted) Fault(Concat(name, " is still pending"));
        return;
      case DeliveryState::kSucceeded:
        if (arrived == 0) Fault(Concat(name, " has succeeded and never arrived"));
        if (arrived > lost + 1) Fault(Concat(name, " arrived ", arrived, " times over ", lost, " kills"));
        return;
      case DeliveryState::kExhausted:
        if (delivery.attempt_count == 0) Fault(Concat(name, " is exhausted without an attempt"));
        break;
      case DeliveryState::kExpired:
        if (delivery.reason != EndReason::kExpiresAt && delivery.reason != EndReason::kBacklogFull) {
          Fault(Concat(name, " expired for no reason: ", ToString(delivery.reason)));
        }
        break;
      case DeliveryState::kCanceled:
        break;
    }
    // Deleted while it was in flight: the answer is not waited for.
    if (arrived > lost && !place.deleted) Fault(Concat(name, " arrived and is ", ToString(delivery.state)));
  }

  const Options options_;
  std::mt19937_64 random_;
  Simulation simulation_;
  std::map<uint64_t, Place> places_;
  std::unique_ptr<MemoryStore> before_last_;
  Verdict verdict_;
};

}  // namespace

Verdict Live(const Options& options) { return World(options).Run(); }

}  // namespace hookd::sim
