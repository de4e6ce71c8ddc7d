#include "dispatcher/engine/bulk_change.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/probe_schedule.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/engine/capture_sink.h"
#include "dispatcher/engine/host_filter.h"

namespace hookd {
namespace {

bool Takes(const EndpointFilter& filter, const Endpoint& endpoint) {
  if (!filter.subscriber_id.empty() && endpoint.subscriber_id != filter.subscriber_id) return false;
  if (filter.disabled && endpoint.disabled != *filter.disabled) return false;
  if (filter.disabled_from_ms != 0 || filter.disabled_before_ms != 0) {
    if (endpoint.disabled == DisableReason::kNone) return false;
    if (endpoint.disabled_ms < filter.disabled_from_ms) return false;
    if (filter.disabled_before_ms != 0 && endpoint.disabled_ms >= filter.disabled_before_ms) return false;
  }
  return filter.host.empty() || HasHost(endpoint.url, filter.host);
}

bool IsEmpty(const EndpointFilter& filter) {
  return filter.subscriber_id.empty() && filter.host.empty() && !filter.disabled &&
         filter.disabled_from_ms == 0 && filter.disabled_before_ms == 0;
}

}  // namespace

EndpointUpdate UpdateFor(EndpointAction action, const std::string& note) {
  return [action, note](Endpoint& endpoint, WallMs now, bool& reset_failures) {
    switch (action) {
      case EndpointAction::kEnable:
        if (endpoint.url.empty()) {
          return absl::FailedPreconditionError(Concat("endpoint ", endpoint.id.ToString(),
                                                      " has no URL since its API key was changed: set one"));
        }
        if (endpoint.disabled == DisableReason::kUnverified) {
          return absl::FailedPreconditionError(
              "its ownership is not proven yet: VerifyEndpoint (hookctl endpoints verify) enables it");
        }
        endpoint.disabled = DisableReason::kNone;
        endpoint.disabled_ms = 0;
        reset_failures = true;
        break;
      case EndpointAction::kDisable:
        if (endpoint.disabled == DisableReason::kUnverified) break;  // enabling must not go past the proof
        if (endpoint.disabled != DisableReason::kPerson) endpoint.disabled_ms = now;
        endpoint.disabled = DisableReason::kPerson;
        break;
      case EndpointAction::kPause:
        endpoint.paused = true;
        break;
      case EndpointAction::kResume:
        endpoint.paused = false;
        break;
    }
    endpoint.state_note = note;
    return absl::OkStatus();
  };
}

EndpointUpdate UpdateForProbed(const Endpoint& probed, const std::string& note) {
  return [id = probed.id, since = probed.disabled_ms, url = probed.url,
          enable = UpdateFor(EndpointAction::kEnable, note)](Endpoint& endpoint, WallMs now,
                                                             bool& reset_failures) -> absl::Status {
    if (!DisabledByItself(endpoint) || endpoint.disabled_ms != since || endpoint.url != url) {
      return absl::FailedPreconditionError(
          Concat("endpoint ", id.ToString(), " was changed while it was probed"));
    }
    return enable(endpoint, now, reset_failures);
  };
}

absl::StatusOr<EndpointView> ApplyUpdate(Ledger& ledger, EndpointId id, const EndpointUpdate& update) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Endpoint> current, ledger.registry().Find(id));
  if (current == nullptr) return absl::NotFoundError(Concat("no endpoint ", id.ToString()));
  auto changed = std::make_shared<Endpoint>(*current);
  bool reset_failures = false;
  RETURN_IF_ERROR(update(*changed, ledger.now(), reset_failures));
  if (changed->capture && !Capturing(*changed, ledger.now())) changed->capture.reset();
  if (changed->disabled != DisableReason::kNone && current->disabled == DisableReason::kNone) {
    changed->disabled_ms = ledger.now();
  }
  HOOKD_CHECK(changed->id == id && changed->subscriber_id == current->subscriber_id, "ids are immutable");
  // A new URL is what such an endpoint waits for.
  if (changed->disabled == DisableReason::kUrlCleared && !changed->url.empty()) {
    changed->disabled = DisableReason::kNone;
    changed->disabled_ms = 0;
    reset_failures = true;
  }
  SettleKeys(current->signing_keys, changed->signing_keys, ledger.trusted_now());
  changed->updated_ms = ledger.now();
  ledger.PutEndpoint(changed, reset_failures);
  const LaneState* lane = ledger.store().Lane(id);
  if (lane == nullptr) return absl::UnavailableError("the store cannot be read: hookd is restarting");
  return EndpointView{std::move(changed), *lane};
}

bool WouldChange(const BulkChange& change, const Endpoint& endpoint) {
  if (!Takes(change.filter, endpoint)) return false;
  switch (change.action) {
    case EndpointAction::kEnable:
      return endpoint.disabled != DisableReason::kNone && endpoint.disabled != DisableReason::kUnverified &&
             !endpoint.url.empty();
    case EndpointAction::kDisable:
      return endpoint.disabled != DisableReason::kPerson && endpoint.disabled != DisableReason::kUnverified;
    case EndpointAction::kPause:
      return !endpoint.paused;
    case EndpointAction::kResume:
      return endpoint.paused;
  }
  return false;
}

absl::StatusOr<BulkResult> ChangeInBulk(
    const DeliveryStore& store, const BulkChange& change,
    const std::function<absl::Status(const std::function<void(Ledger&)>&)>& commit) {
  if (IsEmpty(change.filter)) {
    return absl::InvalidArgumentError("filter: set a subscriber, a host, a reason or a time");
  }
  const EndpointUpdate update = UpdateFor(change.action, change.note);
  BulkResult result;
  EndpointId after = change.after;
  for (size_t looked = 0; looked < kBulkLooks && result.changed.size() < change.limit;) {
    const size_t rows = std::min(kBulkStep, change.limit - result.changed.size());
    ASSIGN_OR_RETURN(const std::vector<StoredEndpoint> page,
                     store.ListEndpoints(change.filter.subscriber_id, after, rows));
    std::vector<EndpointId> step;
    for (const StoredEndpoint& one : page) {
      if (WouldChange(change, *one.endpoint)) step.push_back(one.endpoint->id);
    }
    if (!change.dry_run && !step.empty()) {
      std::vector<EndpointId> changed;
      absl::Status status;
      RETURN_IF_ERROR(commit([&](Ledger& ledger) {
        for (const EndpointId id : step) {
          const absl::StatusOr<std::shared_ptr<const Endpoint>> now = ledger.registry().Find(id);
          status.Update(now.status());
          // Deleted, or changed by somebody else meanwhile.
          if (!now.ok() || *now == nullptr || !WouldChange(change, **now)) continue;
          const absl::Status applied = ApplyUpdate(ledger, id, update).status();
          status.Update(applied);
          if (applied.ok()) changed.push_back(id);
        }
      }));
      RETURN_IF_ERROR(status);
      step = std::move(changed);
    }
    result.changed.insert(result.changed.end(), step.begin(), step.end());
    if (page.size() < rows) return result;
    looked += page.size();
    after = page.back().endpoint->id;
  }
  result.next = after;
  return result;
}

}  // namespace hookd
