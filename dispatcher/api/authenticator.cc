#include "dispatcher/api/authenticator.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <boost/asio/ip/address.hpp>

#include "dispatcher/core/access_token.h"
#include "dispatcher/core/rate_limit.h"

namespace hookd {
namespace {

const RateLimit kWrongTokens{kWrongTokensPerSecond, kWrongTokensBurst, RateUnit::kRequest};
constexpr absl::string_view kScheme = "Bearer ";

int64_t Micros(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

absl::Status NotValid() {
  return absl::UnauthenticatedError(
      "authorization: the token is not known, or not valid any more: an operator makes another with hookctl "
      "tokens create");
}

}  // namespace

std::string AddressKey(std::string_view remote) {
  boost::system::error_code error;
  const boost::asio::ip::address address = boost::asio::ip::make_address(std::string(remote), error);
  if (error || !address.is_v6()) return std::string(remote);
  const auto bytes = address.to_v6().to_bytes();
  if (address.to_v6().is_v4_mapped()) return std::string(bytes.begin() + 12, bytes.end());
  return {bytes.begin(), bytes.begin() + 8};
}

AuditOrigin OriginOfToken(const AccessToken* token) {
  AuditOrigin origin;
  origin.actor = token == nullptr ? std::string(kLocalActor) : TokenName(token->id);
  if (token == nullptr) return origin;
  origin.role = std::string(ToString(token->role));
  origin.name = token->description;
  return origin;
}

bool Caller::Owns(const std::string& subscriber_id) const {
  const std::vector<std::string>* own = Subscribers();
  return own == nullptr || std::find(own->begin(), own->end(), subscriber_id) != own->end();
}

Authenticator::Authenticator(const AuthOptions& options, Engine& engine, Telemetry& telemetry,
                             const Clock& clock)
    : options_(options), engine_(engine), telemetry_(telemetry), clock_(clock) {}

absl::StatusOr<Caller> Authenticator::Authenticate(std::string_view authorization, std::string_view remote) {
  if (!options_.required) return Caller();
  const absl::string_view given(authorization.data(), authorization.size());
  if (given.empty()) {
    return Refuse(
        AuthFailure::kMissing,
        absl::UnauthenticatedError(
            "authorization: is missing: send \"Bearer hkt_...\", a token that an operator made with "
            "hookctl tokens create"));
  }
  const bool bearer = absl::StartsWithIgnoreCase(given, kScheme);
  const absl::string_view text = absl::StripAsciiWhitespace(bearer ? given.substr(kScheme.size()) : given);
  if (bearer) return Identify({text.data(), text.size()}, remote);
  const std::string address = AddressKey(remote);
  if (!MayTry(address)) return Slowed();
  CountWrong(address);
  return Refuse(AuthFailure::kInvalid,
                absl::UnauthenticatedError("authorization: is no bearer token: send \"Bearer hkt_...\""));
}

absl::StatusOr<Caller> Authenticator::Identify(std::string_view key, std::string_view remote) {
  const std::string address = AddressKey(remote);
  absl::StatusOr<Caller> caller = TokenIdOf(key) ? Find(key, address) : absl::StatusOr<Caller>(NotValid());
  if (caller.ok()) {
    if (absl::Status many = CountCall(caller->token->id); !many.ok()) return many;
    return caller;
  }
  // Else the store cannot be read, or it was slowed already.
  if (!absl::IsUnauthenticated(caller.status())) return caller.status();
  if (!MayTry(address)) return Slowed();
  CountWrong(address);
  return Refuse(AuthFailure::kInvalid, caller.status());
}

PublishLimits Authenticator::LimitsOf(const Caller& caller) {
  PublishLimits limits;
  if (caller.token == nullptr) return limits;
  const AccessToken& token = *caller.token;
  const uint32_t largest =
      token.max_payload_bytes == 0 ? options_.max_payload_bytes : token.max_payload_bytes;
  if (largest != 0) limits.max_payload = largest;
  const uint32_t rate = token.bytes_per_second == 0 ? options_.bytes_per_second : token.bytes_per_second;
  if (rate != 0) {
    limits.charge = [this, id = token.id, rate](size_t bytes) { return CountBytes(id, rate, bytes); };
  }
  return limits;
}

// A second's worth may come at once; what is larger goes when a byte could, and is paid off afterwards.
absl::Status Authenticator::CountBytes(uint64_t id, uint32_t per_second, size_t bytes) {
  constexpr int64_t kSecondUs = 1'000'000;
  const int64_t now = Micros(clock_.Steady());
  int64_t wait_us = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto held = held_.find(id);
    if (held == held_.end()) return absl::OkStatus();  // all were read anew just now
    int64_t& tat = held->second.bytes_tat_us;
    wait_us = tat - kSecondUs - now;
    if (wait_us <= 0) {
      tat = std::max(tat, now) + static_cast<int64_t>(bytes) * kSecondUs / per_second;
      return absl::OkStatus();
    }
  }
  return Refuse(AuthFailure::kBytes, absl::ResourceExhaustedError(absl::StrCat(
                                         "this token published more than ", per_second,
                                         " payload bytes per second (bytes_per_second): publish again in ",
                                         wait_us / 1000 + 1, " ms")));
}

absl::Status PublishLimits::CheckPayload(size_t bytes) const {
  if (bytes <= max_payload) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("payload: is ", bytes,
                                                   " bytes, and this token may publish events of at most ",
                                                   max_payload, " (max_payload_bytes)"));
}

absl::Status Authenticator::Slowed() {
  return Refuse(AuthFailure::kSlowed, absl::ResourceExhaustedError(
                                          "authorization: too many wrong tokens came from this address: try "
                                          "again in a second, with a valid one"));
}

absl::StatusOr<Caller> Authenticator::Find(std::string_view text, const std::string& address) {
  const std::optional<uint64_t> id = TokenIdOf(text);
  const uint64_t changes = engine_.TokenChanges();  // before the read
  Caller caller;
  {
    absl::MutexLock lock(&mutex_);
    const auto held = held_.find(*id);
    if (held != held_.end() && held->second.changes == changes) {
      caller = {held->second.token, changes};
    }
  }
  if (caller.token != nullptr) {
    return Verifies(*caller.token, text, clock_.Wall()) ? absl::StatusOr<Caller>(std::move(caller))
                                                        : absl::StatusOr<Caller>(NotValid());
  }
  // What is held passes from everywhere; who tries is slowed before the disk is read.
  if (!MayTry(address)) return Slowed();
  absl::StatusOr<AccessToken> token = engine_.Authenticate(text);
  if (absl::IsUnauthenticated(token.status())) return NotValid();
  if (!token.ok()) return token.status();
  caller = {std::make_shared<const AccessToken>(*std::move(token)), changes};
  absl::MutexLock lock(&mutex_);
  if (held_.size() >= kMaxHeldTokens && !held_.contains(*id)) held_.clear();
  Held& held = held_[*id];
  held.token = caller.token;
  held.changes = changes;
  return caller;
}

absl::Status Authenticator::CountCall(uint64_t id) {
  const int64_t now = Micros(clock_.Steady());
  {
    absl::MutexLock lock(&mutex_);
    const auto held = held_.find(id);
    if (held == held_.end()) return absl::OkStatus();  // all were read anew just now
    if (now >= GcraEarliestUs(options_.calls, held->second.tat_us)) {
      held->second.tat_us = GcraAdvanceUs(options_.calls, held->second.tat_us, now);
      return absl::OkStatus();
    }
  }
  return Refuse(AuthFailure::kRate, absl::ResourceExhaustedError(
                                        absl::StrCat("this token made more than ", options_.calls.per_second,
                                                     " calls per second: call less often, publish in "
                                                     "batches or as a stream")));
}

bool Authenticator::MayTry(const std::string& address) {
  const int64_t now = Micros(clock_.Steady());
  absl::MutexLock lock(&mutex_);
  const auto found = wrong_.find(address);
  return found == wrong_.end() || now >= GcraEarliestUs(kWrongTokens, found->second);
}

void Authenticator::CountWrong(const std::string& address) {
  const int64_t now = Micros(clock_.Steady());
  absl::MutexLock lock(&mutex_);
  if (wrong_.size() >= kMaxWrongAddresses && !wrong_.contains(address)) {
    absl::erase_if(wrong_, [now](const auto& one) { return one.second <= now; });
    if (wrong_.size() >= kMaxWrongAddresses) wrong_.erase(wrong_.begin());
  }
  int64_t& tat = wrong_[address];
  tat = GcraAdvanceUs(kWrongTokens, tat, now);
}

absl::Status Authenticator::StillValid(Caller& caller) {
  if (caller.token == nullptr) return absl::OkStatus();
  if (caller.token->expires_ms != 0 && clock_.Wall() >= caller.token->expires_ms) return NotValid();
  const uint64_t changes = engine_.TokenChanges();
  if (changes == caller.changes) return absl::OkStatus();
  const absl::StatusOr<AccessToken> now = engine_.GetToken(caller.token->id);
  if (absl::IsNotFound(now.status()) || (now.ok() && *now != *caller.token)) return NotValid();
  if (!now.ok()) return now.status();
  caller.changes = changes;
  return absl::OkStatus();
}

absl::Status Authenticator::Refuse(AuthFailure why, absl::Status status) {
  telemetry_.AuthFailed(why);
  return status;
}

}  // namespace hookd
