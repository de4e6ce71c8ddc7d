#include "tests/conformance/describe.h"

#include <algorithm>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gtest/gtest.h>

namespace hookd {
namespace {

std::string Escaped(const std::string& text) { return absl::StrCat("\"", absl::CEscape(text), "\""); }

std::string Escaped(const std::vector<std::string>& texts) {
  return absl::StrJoin(texts, ",",
                       [](std::string* out, const std::string& text) { out->append(Escaped(text)); });
}

std::string Describe(const DeliveryPolicy& policy) {
  std::string text = absl::StrCat("mode=", static_cast<int>(policy.mode), "/", policy.max_in_flight,
                                  " timeout=", policy.timeout.count(), " success=");
  for (const StatusRange& range : policy.success) absl::StrAppend(&text, range.first, "-", range.last, ",");
  absl::StrAppend(&text, " retries=", policy.max_retries, " backoff=", policy.backoff.step.count(), "/",
                  policy.backoff.cap.count(), "/", policy.backoff.jitter, " rate=", policy.rate.per_second,
                  "/", policy.rate.burst);
  absl::StrAppend(&text, " kind=", static_cast<int>(policy.backoff.kind), "/", policy.backoff.factor, "/");
  for (const Millis wait : policy.backoff.schedule) absl::StrAppend(&text, wait.count(), ",");
  absl::StrAppend(&text, " hold=", policy.retry_after_max.count(), " alert=", policy.alert_after,
                  " disable=", policy.disable.failures, "/", policy.disable.span.count(), "/",
                  policy.disable.on_gone);
  absl::StrAppend(&text, " backlog=", policy.backlog, " http=", static_cast<int>(policy.http_version),
                  " bodies=", policy.keep_all_bodies);
  absl::StrAppend(&text, " exact=", policy.backoff.exact_first, " 429=", policy.disable.count_429,
                  " unit=", static_cast<int>(policy.rate.unit), " batch=", Escaped(policy.batch.event_types),
                  "/", policy.batch.max_members, "/", policy.batch.linger.count());
  absl::StrAppend(&text, " coalesce=", policy.coalesce, " mail=", policy.mail_subscriber,
                  " probe=", policy.probe.first.count(), "/", policy.probe.cap.count());
  return text;
}

std::string IdOrNone(const std::optional<DeliveryId>& id) { return id ? id->ToString() : "none"; }

}  // namespace

std::string Describe(const RemadePtr& remade) {
  if (remade == nullptr) return "made with its event";
  return absl::StrCat("made at ", remade->accepted_ms, " origin=", static_cast<int>(remade->origin),
                      " replaces=", IdOrNone(remade->replaces));
}

std::string Describe(const QueuedDelivery& row) {
  return absl::StrCat("queued ", row.sequence, " ", Describe(*row.event), " ", Describe(row.remade));
}

std::string Describe(const StateChange& change) {
  return absl::StrCat("change ", change.delivery.ToString(), " event=", change.event.ToString(), " of ",
                      Escaped(change.subscriber_id), " type=", Escaped(change.event_type),
                      " state=", static_cast<int>(change.state),
                      " reason=", static_cast<int>(change.reason)) +
         absl::StrCat(" attempts=", change.attempt_count, " status=", change.status,
                      " error=", static_cast<int>(change.error), " at=", change.at_ms,
                      " next=", change.next_due_ms);
}

std::string Describe(const Job& job) {
  return absl::StrCat("job ", job.id, " kind=", static_cast<int>(job.kind),
                      " state=", static_cast<int>(job.state), " of ", job.endpoint.ToString(), " ",
                      Escaped(job.subscriber_id), " ", Escaped(job.host), " ", Escaped(job.event_type)) +
         absl::StrCat(" from=", job.from_ms, " before=", job.before_ms,
                      " only=", job.only_state ? static_cast<int>(*job.only_state) : 0, " rate=", job.rate,
                      " reason=", Escaped(job.reason), " position=", Escaped(job.position),
                      " phase=", job.phase) +
         absl::StrCat(" matched=", job.matched, "/", job.done, "/", job.skipped, "/", job.expected,
                      " error=", Escaped(job.error), " times=", job.created_ms, "/", job.updated_ms, "/",
                      job.ended_ms);
}

std::string Describe(const AccessToken& token) {
  std::string line =
      absl::StrCat("token ", token.id, " role=", static_cast<int>(token.role), " ",
                   Escaped(token.description), " created=", token.created_ms, " expires=", token.expires_ms,
                   " hash=", token.hash[0], "..", token.hash[31], " of");
  for (const std::string& id : token.subscriber_ids) absl::StrAppend(&line, " ", Escaped(id));
  return line;
}

std::string Describe(const Subscriber& subscriber) {
  return absl::StrCat("subscriber ", Escaped(subscriber.id), " name=", Escaped(subscriber.name),
                      " paused=", subscriber.paused, " created=", subscriber.created_ms,
                      " updated=", subscriber.updated_ms) +
         absl::StrCat(" profile=", Escaped(subscriber.profile), " plan=", Escaped(subscriber.plan),
                      " strict=", subscriber.strict, " alert=", Escaped(subscriber.alert_addresses),
                      " held=", Escaped(subscriber.held_channels));
}

std::string Describe(const Endpoint& endpoint) {
  std::string text = absl::StrCat(
      "endpoint ", endpoint.id.ToString(), " of ", Escaped(endpoint.subscriber_id),
      " description=", Escaped(endpoint.description), " url=", Escaped(endpoint.url),
      " types=", Escaped(endpoint.event_types), " channels=", Escaped(endpoint.channels), " headers=");
  for (const Header& header : endpoint.headers) {
    absl::StrAppend(&text, Escaped(header.name), ":", Escaped(header.value), header.secret ? "!," : ",");
  }
  absl::StrAppend(&text, " ", Describe(endpoint.policy), " keys=");
  for (const SigningKey& key : endpoint.signing_keys) {
    absl::StrAppend(&text, Escaped(key.key), "/", static_cast<int>(key.scheme), "/", key.created_ms, "/",
                    key.expires_ms, ",");
  }
  if (const auto& basic = endpoint.authorization.basic; basic != nullptr) {
    absl::StrAppend(&text, " basic=", Escaped(basic->user), "/", Escaped(basic->password));
  }
  if (const auto& oauth2 = endpoint.authorization.oauth2; oauth2 != nullptr) {
    absl::StrAppend(&text, " oauth2=", Escaped(oauth2->token_url), "/", Escaped(oauth2->client_id), "/",
                    Escaped(oauth2->client_secret), "/", Escaped(oauth2->scopes), "/",
                    Escaped(oauth2->audience), "/", oauth2->secret_in_body);
  }
  absl::StrAppend(&text, " paused=", endpoint.paused, " created=", endpoint.created_ms,
                  " updated=", endpoint.updated_ms);
  absl::StrAppend(&text, " disabled=", static_cast<int>(endpoint.disabled), "@", endpoint.disabled_ms,
                  " note=", Escaped(endpoint.state_note), " profile=", Escaped(endpoint.profile),
                  " muted=", Escaped(endpoint.muted_event_types), " settings=");
  for (const auto& [name, on] : endpoint.settings) absl::StrAppend(&text, Escaped(name), on ? "+" : "-");
  if (endpoint.capture) {
    absl::StrAppend(&text, " capture=", endpoint.capture->bin, "/", endpoint.capture->until_ms, "/",
                    endpoint.capture->delivers);
  }
  if (endpoint.tls != nullptr) {
    const TlsSettings& tls = *endpoint.tls;
    absl::StrAppend(&text, " tls=", Escaped(tls.ca_pem), "/", Escaped(tls.pinned_keys), "/",
                    Escaped(tls.client_certificate_pem), "/", Escaped(tls.client_key_pem));
  }
  return text;
}

std::string Describe(const Event& event) {
  return absl::StrCat("event ", event.id.ToString(), " of ", Escaped(event.subscriber_id),
                      " type=", Escaped(event.type), " channel=", Escaped(event.channel),
                      " ordering=", Escaped(event.ordering_key),
                      " idempotency=", Escaped(event.idempotency_key), " trace=", Escaped(event.traceparent),
                      "/", Escaped(event.tracestate), " payload=", Escaped(event.payload),
                      " accepted=", event.accepted_ms) +
         absl::StrCat(" from=", event.not_before_ms, " until=", event.expires_ms,
                      " coalesce=", Escaped(event.coalesce_key));
}

std::string Describe(const Attempt& attempt) {
  return absl::StrCat("#", attempt.number, " at ", attempt.started_ms, " us=", attempt.us.queue, "/",
                      attempt.us.name, "/", attempt.us.connect, "/", attempt.us.tls, "/",
                      attempt.us.first_byte, "/", attempt.us.total,
                      " error=", std::string(ToString(attempt.error)), " ") +
         absl::StrCat(Escaped(attempt.error_detail), " status=", attempt.status,
                      " remote=", attempt.remote_address, " http=", attempt.http_version,
                      " body=", Escaped(attempt.response_body), attempt.body_truncated ? "..." : "",
                      " resends=", attempt.resends, " next=", attempt.next_due_ms) +
         absl::StrCat(" decision=", static_cast<int>(attempt.decision),
                      " sent=", Escaped(attempt.request_headers), " got=", Escaped(attempt.response_headers));
}

std::string Describe(const Delivery& delivery) {
  std::string text = absl::StrCat("delivery ", delivery.id.bucket, "/", delivery.id.endpoint.ToString(), "/",
                                  delivery.id.sequence, " event=", delivery.event.ToString(), " of ",
                                  Escaped(delivery.subscriber_id), " type=", Escaped(delivery.event_type),
                                  " ", std::string(ToString(delivery.state)),
                                  " reason=", std::string(ToString(delivery.reason))) +
                     absl::StrCat(" accepted=", delivery.accepted_ms, " ended=", delivery.ended_ms,
                                  " next=", delivery.next_due_ms, " attempts=", delivery.attempt_count);
  absl::StrAppend(&text, " last=", delivery.last_status, "/", std::string(ToString(delivery.last_error)),
                  " origin=", static_cast<int>(delivery.origin), " replaces=", IdOrNone(delivery.replaces),
                  " replaced_by=", IdOrNone(delivery.replaced_by),
                  " batch=", delivery.batch ? delivery.batch->ToString() : "none");
  for (const Attempt& attempt : delivery.attempts) absl::StrAppend(&text, " [", Describe(attempt), "]");
  return text;
}

std::string Describe(const ParkedDelivery& row) {
  return absl::StrCat("parked ", row.sequence, " event=", row.event.ToString(),
                      " key=", row.ordering_key_hash, " attempts=", row.attempts, " failures=", row.failures,
                      " due=", row.due_ms) +
         absl::StrCat(" last=", row.last_status, "/", static_cast<int>(row.last_error), " ",
                      Describe(row.remade), row.batch ? " batch=" + row.batch->ToString() : "");
}

std::string Describe(const LaneState& lane) {
  return absl::StrCat("lane cursor=", lane.cursor, " next=", lane.next, " queued=", lane.queued,
                      " parked=", lane.parked, " failures=", lane.consecutive_failures, "@",
                      lane.failing_since_ms, " success=", lane.last_success_ms, " tat=", lane.rate_tat_ms,
                      lane.deleted ? " deleted" : "") +
         absl::StrCat(" counted=", lane.disable_failures, "@", lane.disable_since_ms,
                      " of one paused=", lane.endpoint_paused, " disabled=", lane.endpoint_disabled,
                      " keys end=", lane.endpoint_keys_end_ms, " hold=", lane.hold_until_ms);
}

std::string Describe(const StoredSubscriber& subscriber) {
  return absl::StrCat(Describe(subscriber.subscriber), " with ", subscriber.endpoint_count);
}

std::string Describe(const StoredEndpoint& endpoint) {
  return absl::StrCat(Describe(*endpoint.endpoint), " ", Describe(endpoint.lane));
}

std::string Describe(const BucketView& bucket) {
  return absl::StrCat("bucket ", bucket.bucket, " pending=", bucket.pending, " pins=", bucket.pins,
                      " ended=", bucket.last_ended_ms, " bytes=", bucket.payload_bytes,
                      bucket.payloads_gone ? " gone" : "");
}

std::string Describe(const Operations& operations) {
  return absl::StrCat("operations paused=", operations.paused, "@", operations.paused_ms,
                      " note=", Escaped(operations.pause_note), " suspect=", operations.clock_suspect);
}

std::vector<std::string> Describe(const std::vector<BucketView>& buckets) {
  std::vector<std::string> lines;
  for (const BucketView& bucket : buckets) lines.push_back(Describe(bucket));
  return lines;
}

std::vector<std::string> Describe(const DeliveryStore::Recovered& recovered) {
  std::vector<std::string> lines;
  for (const DeliveryStore::ActiveLane& active : recovered.lanes) {
    lines.push_back(absl::StrCat(active.id.ToString(), " ", Describe(active.lane),
                                 " hold=", static_cast<int>(active.hold), " ",
                                 active.endpoint ? Describe(*active.endpoint) : "deleted"));
  }
  lines.push_back(absl::StrCat(recovered.subscribers, " subscribers, ", recovered.endpoints, " endpoints, ",
                               recovered.endpoints_disabled, " disabled, ", recovered.endpoints_paused,
                               " paused"));
  std::string ending = "keys end:";
  for (const auto& [end, id] : recovered.keys_ending) absl::StrAppend(&ending, " ", id.ToString(), "@", end);
  lines.push_back(ending);
  lines.push_back(Describe(recovered.operations));
  lines.push_back(absl::StrCat("mail cursor: ", Escaped(recovered.mail_cursor)));
  std::string jobs = absl::StrCat("jobs, next ", recovered.next_job, ":");
  for (const Job& job : recovered.jobs) absl::StrAppend(&jobs, " ", Describe(job), ";");
  lines.push_back(jobs);
  lines.push_back(absl::StrCat("next endpoint ", recovered.next_endpoint_number, ", high water ",
                               recovered.wall_high_water_ms, ", epoch ", recovered.epoch));
  std::sort(lines.begin(), lines.end());
  return lines;
}

void ExpectSameLines(const std::vector<std::string>& expected, const std::vector<std::string>& actual,
                     const std::string& where) {
  const auto [e, a] = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  if (e == expected.end() && a == actual.end()) return;
  ADD_FAILURE() << where << ": line " << (e - expected.begin()) << " of " << expected.size() << "/"
                << actual.size() << " differs\nexpected: " << (e == expected.end() ? "(nothing)" : *e)
                << "\nactual:   " << (a == actual.end() ? "(nothing)" : *a);
}

}  // namespace hookd
