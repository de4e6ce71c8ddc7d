#include <algorithm>

#include <absl/status/statusor.h>

#include "hookd/storage/v1/records.pb.h"
#include "storage/record_codec.h"
#include "storage/record_parts.h"

namespace hookd::records {

namespace pb = hookd::storage::v1;

std::string Encode(const Job& job) {
  pb::JobRecord record;
  record.set_kind(static_cast<uint32_t>(job.kind));
  record.set_state(static_cast<uint32_t>(job.state));
  record.set_endpoint(job.endpoint.value);
  record.set_subscriber_id(job.subscriber_id);
  record.set_host(job.host);
  record.set_event_type(job.event_type);
  record.set_from_ms(job.from_ms);
  record.set_before_ms(job.before_ms);
  if (job.only_state) record.set_only_state(static_cast<uint32_t>(*job.only_state));
  record.set_rate(job.rate);
  record.set_reason(job.reason);
  record.set_position(job.position);
  record.set_phase(job.phase);
  record.set_matched(job.matched);
  record.set_done(job.done);
  record.set_skipped(job.skipped);
  record.set_expected(job.expected);
  record.set_error(job.error);
  record.set_created_ms(job.created_ms);
  record.set_updated_ms(job.updated_ms);
  record.set_ended_ms(job.ended_ms);
  if (job.event) {
    record.set_event(
        std::string(reinterpret_cast<const char*>(job.event->bytes.data()), job.event->bytes.size()));
  }
  return record.SerializeAsString();
}

absl::StatusOr<Job> DecodeJob(uint64_t id, std::string_view bytes) {
  pb::JobRecord record;
  if (!Parse(record, bytes) || record.kind() == 0 || !UpTo(JobKind::kRekey, record.kind()) ||
      record.state() == 0 || !UpTo(JobState::kFailed, record.state()) ||
      !UpTo(DeliveryState::kCanceled, record.only_state()) ||
      (!record.event().empty() && record.event().size() != sizeof(EventId::bytes))) {
    return Damaged("job");
  }
  Job job;
  job.id = id;
  job.kind = static_cast<JobKind>(record.kind());
  job.state = static_cast<JobState>(record.state());
  job.endpoint.value = record.endpoint();
  job.subscriber_id = record.subscriber_id();
  job.host = record.host();
  job.event_type = record.event_type();
  job.from_ms = record.from_ms();
  job.before_ms = record.before_ms();
  if (record.only_state() != 0) job.only_state = static_cast<DeliveryState>(record.only_state());
  job.rate = record.rate();
  job.reason = record.reason();
  job.position = record.position();
  job.phase = record.phase();
  job.matched = record.matched();
  job.done = record.done();
  job.skipped = record.skipped();
  job.expected = record.expected();
  job.error = record.error();
  job.created_ms = record.created_ms();
  job.updated_ms = record.updated_ms();
  job.ended_ms = record.ended_ms();
  if (!record.event().empty()) {
    std::copy(record.event().begin(), record.event().end(), job.event.emplace().bytes.begin());
  }
  return job;
}

}  // namespace hookd::records
