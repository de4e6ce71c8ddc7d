#include "tests/fault/ledger.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "base/concat.h"

namespace hookd::fault {
namespace {

constexpr size_t kMaxFaults = 20;
constexpr char kHead[] = "{\"n\":";

// "1.42" is 42 of epoch 1.
uint64_t SequenceOf(const std::string& header) {
  const size_t dot = header.find('.');
  return dot == std::string::npos ? 0 : std::strtoull(header.c_str() + dot + 1, nullptr, 10);
}

}  // namespace

std::string PayloadOf(uint64_t n) {
  std::mt19937_64 random(n);
  const size_t size = n % 10 == 9 ? 4'096 + random() % 16'384 : random() % 400;
  std::string text(size, 'x');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return Concat(kHead, n, ",\"text\":\"", text, "\"}");
}

std::optional<uint64_t> NumberOf(const std::string& payload) {
  const size_t head = sizeof(kHead) - 1;
  uint64_t n = 0;
  if (!payload.starts_with(kHead)) return std::nullopt;
  if (std::from_chars(payload.data() + head, payload.data() + payload.size(), n).ec != std::errc()) {
    return std::nullopt;
  }
  if (payload != PayloadOf(n)) return std::nullopt;
  return n;
}

void Ledger::SetWitness(int fd) {
  absl::MutexLock lock(&mutex_);
  witness_ = fd;
}

void Ledger::Tell(const std::string& line) {
  if (witness_ < 0) return;
  const ssize_t written = write(witness_, line.data(), line.size());
  HOOKD_CHECK(written == static_cast<ssize_t>(line.size()), "the witness listens");
}

bool Ledger::Read(const std::string& line) {
  std::istringstream words(line);
  std::string what;
  uint64_t n = 0;
  words >> what >> n;
  absl::MutexLock lock(&mutex_);
  if (what == "number") {
    next_ = std::max(next_, n + 1);
  } else if (what == "acknowledged") {
    std::string event;
    Acknowledged acknowledged;
    bool duplicate = false;
    words >> event >> acknowledged.deliveries >> duplicate;
    const absl::StatusOr<EventId> id = EventId::Parse(event);
    if (!id.ok()) return false;
    acknowledged.event = *id;
    AnsweredLocked(n, acknowledged, duplicate);
  } else if (what == "arrived") {
    std::string url;
    uint64_t sequence = 0;
    bool success = false;
    words >> url >> sequence >> success;
    const auto lane = lanes_.find(url);
    if (lane == lanes_.end()) return false;
    ++arrivals_;
    Arrived(lane->second, url, n, sequence, success);
  } else if (what == "fault") {
    FaultLocked(line);
  } else {
    return false;
  }
  return !words.fail();
}

void Ledger::AddLane(const std::string& url, Lane lane) {
  absl::MutexLock lock(&mutex_);
  lanes_[url].lane = lane;
}

void Ledger::Begin() {
  absl::MutexLock lock(&mutex_);
  cut_ = false;
  ++lives_;
}

void Ledger::Cut() {
  absl::MutexLock lock(&mutex_);
  cut_ = true;
}

bool Ledger::cut() const {
  absl::MutexLock lock(&mutex_);
  return cut_;
}

uint64_t Ledger::TakeNumber() {
  absl::MutexLock lock(&mutex_);
  Tell(Concat("number ", next_, "\n"));
  return next_++;
}

void Ledger::Answered(uint64_t n, const Acknowledged& acknowledged, bool duplicate) {
  absl::MutexLock lock(&mutex_);
  if (!cut_) AnsweredLocked(n, acknowledged, duplicate);
}

void Ledger::AnsweredLocked(uint64_t n, const Acknowledged& acknowledged, bool duplicate) {
  Tell(Concat("acknowledged ", n, " ", acknowledged.event.ToString(), " ", acknowledged.deliveries,
              duplicate ? " 1\n" : " 0\n"));
  const auto [it, first] = acknowledged_.try_emplace(n, acknowledged);
  if (!first && it->second.event != acknowledged.event) {
    FaultLocked(Concat("event ", n, " was acknowledged under two ids"));
  }
  if (!first && !duplicate) FaultLocked(Concat("event ", n, " was accepted twice under one idempotency key"));
}

std::optional<int> Ledger::Received(const testing::SentRequest& request) {
  absl::MutexLock lock(&mutex_);
  if (cut_) return std::nullopt;
  ++arrivals_;
  const bool fails = random_() % 10 < failures_of_ten_;
  const int failure = random_() % 2 == 0 ? 500 : 0;
  const auto lane = lanes_.find(request.url);
  const std::optional<uint64_t> n = NumberOf(request.body);
  if (!n) {
    FaultLocked(Concat("a body that was never published came to ", request.url));
    return 200;
  }
  if (*n >= next_ || lane == lanes_.end()) {
    FaultLocked(Concat("event ", *n, " came to ", request.url, " and was never published there"));
    return 200;
  }
  Arrived(lane->second, request.url, *n, SequenceOf(request.Header("hookd-sequence")), !fails);
  return fails ? failure : 200;
}

void Ledger::Arrived(Arrival& lane, const std::string& url, uint64_t n, uint64_t sequence, bool success) {
  Tell(Concat("arrived ", n, " ", url, " ", sequence, success ? " 1\n" : " 0\n"));
  const auto [known, first] = lane.sequences.try_emplace(n, sequence);
  if (known->second != sequence) {
    FaultLocked(Concat(url, ": event ", n, " came as ", known->second, " and as ", sequence));
  }
  const bool parallel = lane.lane.mode == DeliveryMode::kParallel;
  const std::string key = lane.lane.mode == DeliveryMode::kKeyed ? OrderingKeyOf(n) : "";
  if (!parallel) {
    uint64_t& last = lane.last[key];
    if (sequence < last) FaultLocked(Concat(url, ": ", sequence, " came after ", last));
    last = sequence;
  }
  if (!success) return;
  const auto [before, is_first] = lane.succeeded_in.try_emplace(n, lives_);
  if (is_first) return;
  const size_t life = std::exchange(before->second, lives_);
  if (life == lives_) return FaultLocked(Concat(url, ": event ", n, " was sent again in the same life"));
  ++repeated_;
  // What was in flight as the power went may come again, in whatever later life: no more than could be.
  std::set<std::string>& again = lane.repeated_of[life];
  const bool one_each = again.insert(parallel ? std::to_string(n) : key).second;
  if (!one_each || again.size() > lane.lane.in_flight) {
    FaultLocked(Concat(url, ": event ", n, " came again, and more of life ", life, " than was in flight"));
  }
}

void Ledger::SetFailures(unsigned of_ten) {
  absl::MutexLock lock(&mutex_);
  failures_of_ten_ = of_ten;
}

uint64_t Ledger::numbers() const {
  absl::MutexLock lock(&mutex_);
  return next_;
}

std::map<uint64_t, Acknowledged> Ledger::acknowledged() const {
  absl::MutexLock lock(&mutex_);
  return acknowledged_;
}

std::vector<uint64_t> Ledger::unanswered() const {
  absl::MutexLock lock(&mutex_);
  std::vector<uint64_t> numbers;
  for (uint64_t n = 0; n < next_; ++n) {
    if (!acknowledged_.contains(n)) numbers.push_back(n);
  }
  return numbers;
}

size_t Ledger::lives() const {
  absl::MutexLock lock(&mutex_);
  return lives_;
}

size_t Ledger::arrivals() const {
  absl::MutexLock lock(&mutex_);
  return arrivals_;
}

size_t Ledger::repeated() const {
  absl::MutexLock lock(&mutex_);
  return repeated_;
}

void Ledger::Fault(std::string text) {
  absl::MutexLock lock(&mutex_);
  FaultLocked(std::move(text));
}

void Ledger::FaultLocked(std::string text) {
  Tell(Concat("fault 0 ", text, "\n"));
  if (faults_.size() < kMaxFaults) faults_.push_back(Concat("life ", lives_, ": ", text));
}

std::vector<std::string> Ledger::faults() const {
  absl::MutexLock lock(&mutex_);
  return faults_;
}

void Ledger::JudgeTheEnd() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [n, acknowledged] : acknowledged_) {
    for (const auto& [url, lane] : lanes_) {
      if (!lane.succeeded_in.contains(n)) FaultLocked(Concat("event ", n, " never arrived at ", url));
    }
  }
  for (const auto& [url, lane] : lanes_) {
    std::set<uint64_t> taken;
    for (const auto& [n, sequence] : lane.sequences) {
      if (!taken.insert(sequence).second) FaultLocked(Concat(url, ": two events are number ", sequence));
    }
  }
}

}  // namespace hookd::fault
