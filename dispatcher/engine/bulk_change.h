// Enable, disable, pause and resume: for one endpoint, and for all that a filter takes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/ledger.h"
#include "storage/delivery_store.h"

namespace hookd {

// Endpoints that one call in bulk looks at; it may come back with less than its limit, and go on.
inline constexpr size_t kBulkLooks = 10'000;
// Endpoints that one commit of it changes.
inline constexpr size_t kBulkStep = 128;

// What an update does to the endpoint. The last argument: the row of failures starts afresh.
using EndpointUpdate = std::function<absl::Status(Endpoint&, WallMs, bool&)>;
EndpointUpdate UpdateFor(EndpointAction action, const std::string& note);
// Enables what is still as it was when it was probed; else FAILED_PRECONDITION.
EndpointUpdate UpdateForProbed(const Endpoint& probed, const std::string& note);

// Stores the endpoint as `update` leaves it. NOT_FOUND: there is none. On the committer's thread.
absl::StatusOr<EndpointView> ApplyUpdate(Ledger& ledger, EndpointId id, const EndpointUpdate& update);

// The filter takes it, and the action would change its state.
bool WouldChange(const BulkChange& change, const Endpoint& endpoint);

// `commit` runs its argument on the committer's thread and returns once it is on disk and the shards act on
// it. INVALID_ARGUMENT: nothing is set in the filter. From any thread; it reads the disk.
absl::StatusOr<BulkResult> ChangeInBulk(
    const DeliveryStore& store, const BulkChange& change,
    const std::function<absl::Status(const std::function<void(Ledger&)>&)>& commit);

}  // namespace hookd
