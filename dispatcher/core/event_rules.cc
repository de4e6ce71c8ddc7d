#include "dispatcher/core/event_rules.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/ascii.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/json_rules.h"
#include "dispatcher/core/operational_event.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

constexpr std::string_view kSubscriberIdPunctuation = "_.:@+-";

// The first 16 bytes of SHA-256 over `parts`, each behind its length (8 bytes, big-endian), so that no two
// lists of parts give the same input.
std::array<uint8_t, 16> Digest(std::initializer_list<std::string_view> parts) {
  // Fetched once, for the life of the process: a fetch costs more than the digest of a small event.
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  HOOKD_CHECK(sha256 != nullptr, "OpenSSL has no SHA256");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  HOOKD_CHECK(context != nullptr, "out of memory");
  bool ok = EVP_DigestInit_ex2(context.get(), sha256, nullptr) == 1;
  for (std::string_view part : parts) {
    std::array<uint8_t, 8> length;
    for (size_t i = 0; i < length.size(); ++i) {
      length[i] = static_cast<uint8_t>(static_cast<uint64_t>(part.size()) >> (56 - 8 * i));
    }
    ok = ok && EVP_DigestUpdate(context.get(), length.data(), length.size()) == 1 &&
         EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  }
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  ok = ok && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  HOOKD_CHECK(ok, "SHA256 failed");
  std::array<uint8_t, 16> first;
  std::copy_n(digest.begin(), first.size(), first.begin());
  return first;
}

// Sent as a header's value.
absl::Status CheckTraceparent(std::string_view traceparent) {
  RETURN_IF_ERROR(CheckText("traceparent", traceparent, kMaxTraceparentBytes));
  const bool visible = std::all_of(traceparent.begin(), traceparent.end(),
                                   [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!visible) {
    return absl::InvalidArgumentError("traceparent: holds a space or a non-ASCII character, remove it");
  }
  return absl::OkStatus();
}

// Likewise; a list, so that spaces are fine.
absl::Status CheckTracestate(const Event& event) {
  RETURN_IF_ERROR(CheckText("tracestate", event.tracestate, kMaxTracestateBytes));
  if (event.tracestate.empty()) return absl::OkStatus();
  if (event.traceparent.empty()) {
    return absl::InvalidArgumentError("tracestate: there is no traceparent, give both or none");
  }
  const bool printable = std::all_of(event.tracestate.begin(), event.tracestate.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (!printable) return absl::InvalidArgumentError("tracestate: holds a non-ASCII character, remove it");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEvent(const Event& event) {
  RETURN_IF_ERROR(CheckSubscriberId("subscriber_id", event.subscriber_id));
  if (event.subscriber_id == kOperationsSubscriber) {
    return absl::InvalidArgumentError(Concat("subscriber_id: ", kOperationsSubscriber,
                                             " gets what hookd tells about itself: publish to another"));
  }
  RETURN_IF_ERROR(CheckName("type", event.type, kMaxEventTypeBytes, kEventTypePunctuation));
  RETURN_IF_ERROR(CheckText("channel", event.channel, kMaxChannelBytes));
  RETURN_IF_ERROR(CheckText("ordering_key", event.ordering_key, kMaxOrderingKeyBytes));
  RETURN_IF_ERROR(CheckText("idempotency_key", event.idempotency_key, kMaxIdempotencyKeyBytes));
  RETURN_IF_ERROR(CheckText("coalesce_key", event.coalesce_key, kMaxCoalesceKeyBytes));
  RETURN_IF_ERROR(CheckTraceparent(event.traceparent));
  RETURN_IF_ERROR(CheckTracestate(event));
  if (event.payload.size() > kMaxPayloadBytes) {
    return absl::InvalidArgumentError(
        Concat("payload: is ", event.payload.size(), " bytes long, use at most ", kMaxPayloadBytes));
  }
  if (absl::Status status = CheckJson(event.payload); !status.ok()) {
    return absl::InvalidArgumentError(Concat("payload: ", std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::Status CheckEventTimes(const Event& event, WallMs now) {
  if (event.not_before_ms < 0) {
    return absl::InvalidArgumentError("not_before_time: is before 1970, use a later time or leave it out");
  }
  if (event.not_before_ms > now + kMaxNotBefore.count()) {
    return absl::InvalidArgumentError(Concat("not_before_time: is too far ahead, use at most ",
                                             kMaxNotBefore / std::chrono::days(1), " days from now"));
  }
  if (event.expires_ms == 0) return absl::OkStatus();
  if (event.expires_ms <= now) {
    return absl::InvalidArgumentError("expire_time: is not in the future, use a later time or leave it out");
  }
  if (event.expires_ms <= event.not_before_ms) {
    return absl::InvalidArgumentError("expire_time: is not after not_before_time, use a later time");
  }
  return absl::OkStatus();
}

absl::Status CheckSubscriber(const Subscriber& subscriber) {
  RETURN_IF_ERROR(CheckSubscriberId("id", subscriber.id));
  if (subscriber.id.rfind("hookd.", 0) == 0) {
    if (subscriber.id != kOperationsSubscriber) {
      return absl::InvalidArgumentError(Concat("id: what begins with \"hookd.\" is hookd's own, and only ",
                                               kOperationsSubscriber, " is there; choose another"));
    }
    if (!subscriber.profile.empty() || !subscriber.plan.empty()) {
      return absl::InvalidArgumentError(
          Concat(subscriber.profile.empty() ? "plan" : "profile", ": ", kOperationsSubscriber, " has none"));
    }
  }
  RETURN_IF_ERROR(CheckText("name", subscriber.name, kMaxSubscriberNameBytes));
  RETURN_IF_ERROR(CheckText("profile", subscriber.profile, kMaxProfileNameBytes));
  RETURN_IF_ERROR(CheckText("plan", subscriber.plan, kMaxPlanBytes));
  if (subscriber.strict && subscriber.profile.empty()) {
    return absl::InvalidArgumentError("strict: needs a profile, whose catalogue is held to");
  }
  if (subscriber.alert_addresses.size() > kMaxAlertAddresses) {
    return absl::InvalidArgumentError(Concat("alert_addresses: there are ", subscriber.alert_addresses.size(),
                                             ", use at most ", kMaxAlertAddresses));
  }
  for (size_t i = 0; i < subscriber.alert_addresses.size(); ++i) {
    RETURN_IF_ERROR(CheckMailAddress(Concat("alert_addresses[", i, "]"), subscriber.alert_addresses[i]));
  }
  return absl::OkStatus();
}

absl::Status HoldChannel(const std::string& channel, bool hold, Subscriber& subscriber) {
  if (channel.empty()) return absl::InvalidArgumentError("channel: must not be empty");
  RETURN_IF_ERROR(CheckText("channel", channel, kMaxChannelBytes));
  std::vector<std::string>& held = subscriber.held_channels;
  const auto place = std::lower_bound(held.begin(), held.end(), channel);
  const bool there = place != held.end() && *place == channel;
  if (there == hold) return absl::OkStatus();
  if (!hold) {
    held.erase(place);
    return absl::OkStatus();
  }
  if (held.size() >= kMaxHeldChannels) {
    return absl::ResourceExhaustedError(
        Concat("channel: ", kMaxHeldChannels, " are held already: release some, or pause the subscriber"));
  }
  held.insert(place, channel);
  return absl::OkStatus();
}

absl::Status CheckSubscriberId(std::string_view field, std::string_view id) {
  return CheckName(field, id, kMaxSubscriberIdBytes, kSubscriberIdPunctuation);
}

IdempotencyKey MakeIdempotencyKey(const Event& event) {
  HOOKD_CHECK(!event.idempotency_key.empty(), "the event has no idempotency key");
  IdempotencyKey key{
      Digest({event.subscriber_id, event.idempotency_key}),
      event.coalesce_key.empty()
          ? Digest({event.type, event.channel, event.ordering_key, event.payload})
          : Digest({event.type, event.channel, event.ordering_key, event.payload, event.coalesce_key})};
  const Partition partition = PartitionOf(event.subscriber_id);
  key.key[0] = static_cast<uint8_t>(partition >> 8);
  key.key[1] = static_cast<uint8_t>(partition);
  return key;
}

}  // namespace hookd
