// The audit log's records: who changed what. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace hookd {

// Who makes a change, and by which call.
struct AuditOrigin {
  std::string actor;   // "tok_..." (a token or API key), kLocalActor or kOwnActor
  std::string role;    // of a token
  std::string name;    // likewise: its description
  std::string peer;    // the address that the call came from, without a port; empty = none
  std::string call;    // "EndpointService/PauseEndpoint", "POST /v1/configs/webhook", "hookd/auto_disable"
  std::string reason;  // what was said with it
  bool operator==(const AuditOrigin&) const = default;
};
// Whoever reaches a port that asks for no token, or may act on the data folder and the process.
inline constexpr std::string_view kLocalActor = "local";
// hookd by itself.
inline constexpr std::string_view kOwnActor = "hookd";

// What was changed. `before` and `after`: JSON of the resource as reads show it, secrets masked; empty = it
// was not there.
struct AuditChange {
  std::string resource_type;  // "endpoint", "subscriber", "token", "job", "delivery", "operations", ...
  std::string resource_id;
  std::string subscriber_id;  // whose it is; empty = nobody's, or several subscribers'
  std::string before;
  std::string after;
  std::vector<std::string> secrets_changed;  // fields whose value changed and is not shown
  bool operator==(const AuditChange&) const = default;
};
// Of `before` and of `after`; what is larger is replaced by {"bytes":N}.
inline constexpr size_t kMaxAuditStateBytes = 256 * 1024;

using AuditHash = std::array<uint8_t, 32>;

struct AuditRecord {
  uint64_t number = 0;  // from 1, without gaps
  WallMs at_ms = 0;     // never before that of the record before it
  AuditOrigin origin;
  AuditChange change;
  // SHA-256 over the hash of the record before it and AuditText of this one.
  AuditHash hash{};
  // What all records up to this one take, about; those that are gone included. Not part of the hash.
  uint64_t log_bytes = 0;
  bool operator==(const AuditRecord&) const = default;
};

// Of the newest record, for the one after it; all zero = there is none.
struct AuditTail {
  uint64_t number = 0;
  WallMs at_ms = 0;
  AuditHash hash{};
  uint64_t log_bytes = 0;
  bool operator==(const AuditTail&) const = default;
};

// What a record says, as bytes that no other record has: each field with its length.
std::string AuditText(const AuditRecord& record);

}  // namespace hookd
