// Values for tests of stores.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/model.h"
#include "storage/delivery_store.h"

namespace hookd {

inline constexpr WallMs kT0 = 488'889 * kBucketMs;  // the first millisecond of an hour in October 2025

inline constexpr char kEventType[] = "message:in:new";  // of every event here

EndpointId MakeEndpointId(const std::string& subscriber_id, uint64_t number);

// Every field holds something that is not its default.
std::shared_ptr<const Endpoint> MakeEndpoint(const std::string& subscriber_id, uint64_t number);
Subscriber MakeSubscriber(const std::string& id);
std::shared_ptr<const Event> MakeEvent(const std::string& subscriber_id, WallMs accepted_ms, uint16_t counter,
                                       std::string payload = "{}");
// Begins `number` seconds after kT0 and takes 120,500 us.
Attempt MakeAttempt(uint32_t number, ErrorKind error);
Job MakeJob(uint64_t id);
AccessToken MakeToken(uint64_t id, std::vector<std::string> subscriber_ids);

// Lists of an endpoint, and of a state alone.
DeliveryQuery ListOf(EndpointId endpoint, std::optional<DeliveryState> state = std::nullopt);
DeliveryQuery ListIn(DeliveryState state);

// Ten follow each other at one time.
AuditRecord MakeAuditRecord(uint64_t number);

}  // namespace hookd
