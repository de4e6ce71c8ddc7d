// Stored records: bytes that are none are DATA_LOSS, and what is read is written as it will be read again.
// The input: which record, 1 byte, and its bytes.
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "storage/change_log.h"
#include "storage/record_codec.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

constexpr EndpointId kEndpoint{0x0a3f000000000001};
constexpr uint64_t kNumber = 7;

// What reads and writes one kind: all codecs in one shape.
template <typename Decode, typename Encode>
void Check(std::string_view bytes, Decode decode, Encode encode) {
  const auto read = decode(bytes);
  if (!read.ok()) {
    // FAILED_PRECONDITION: sealed under a key that is not there.
    Must(absl::IsDataLoss(read.status()) || absl::IsFailedPrecondition(read.status()), "damage is told");
    return;
  }
  const std::string written = encode(*read);
  const auto again = decode(std::string_view(written));
  Must(again.ok(), "what is written can be read");
  Must(encode(*again) == written, "and is written the same again");
}

SecretKeys Keys() {
  SecretKeys keys;
  keys.newest.emplace().bytes.fill(1);
  return keys;
}

void CheckEndpoint(std::string_view bytes) {
  static const Sealer& none = *new Sealer;
  static const Sealer& sealer = *new Sealer(Keys());
  const auto decode = [](std::string_view from) { return records::DecodeEndpoint(kEndpoint, from, none); };
  Check(bytes, decode, [](const Endpoint& endpoint) { return records::Encode(endpoint, none); });
  static_cast<void>(records::HasStaleSecrets(bytes, 0));
  const absl::StatusOr<Endpoint> in_clear = decode(bytes);
  if (!in_clear.ok()) return;
  // What lies in clear is sealed when it is written next, and opens as it was.
  const std::string sealed = records::Encode(*in_clear, sealer);
  const absl::StatusOr<Endpoint> opened = records::DecodeEndpoint(kEndpoint, sealed, sealer);
  Must(opened.ok() && records::Encode(*opened, none) == records::Encode(*in_clear, none), "a seal opens");
  Must(!records::DecodeEndpoint(EndpointId{1}, sealed, sealer).ok() || in_clear->url.empty(),
       "a seal opens in its own record alone");
}

void CheckChanges(std::string_view bytes) {
  std::vector<StateChange> changes;
  const absl::Status read = DecodeChanges(bytes, changes);
  Must(read.ok() || absl::IsDataLoss(read), "damage is told");
  Must(changes.size() <= bytes.size(), "no more changes than bytes");
}

template <typename T>
std::string Written(const T& value) {
  return records::Encode(value);
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static auto* const silenced = google::protobuf::SetLogHandler(nullptr);  // of texts that are not UTF-8
  static_cast<void>(silenced);
  fuzz::Input input(data, size);
  const uint8_t kind = input.Byte();
  const std::string_view bytes = input.rest();
  const EventId event = EventId::Make(1'700'000'000'000, 0, 1, 2);
  switch (kind % 17) {
    case 0:
      Check(bytes, records::DecodeSubscriber, Written<Subscriber>);
      break;
    case 1:
      CheckEndpoint(bytes);
      break;
    case 2:
      Check(bytes, records::DecodeLane, Written<LaneState>);
      break;
    case 3:
      Check(bytes, records::DecodeQueued, Written<records::Queued>);
      break;
    case 4:
      Check(
          bytes, [](std::string_view from) { return records::DecodeParked(kNumber, from); },
          Written<ParkedDelivery>);
      break;
    case 5:
      Check(
          bytes, [event](std::string_view from) { return records::DecodeEvent(event, from); },
          [](const std::shared_ptr<const Event>& read) { return records::Encode(*read); });
      break;
    case 6:
      Check(
          bytes, [](std::string_view from) { return records::DecodeAttempt(from); }, Written<Attempt>);
      break;
    case 7:
      Check(
          bytes, [](std::string_view from) { return records::DecodeEnd(from); }, Written<records::End>);
      break;
    case 8:
      Check(bytes, records::DecodeIdempotency,
            [](const IdempotencyHit& hit) { return records::EncodeIdempotency(hit.event, hit.fingerprint); });
      break;
    case 9:
      Check(
          bytes, [](std::string_view from) { return records::DecodeBucket(7, from); }, Written<BucketView>);
      break;
    case 10:
      Check(
          bytes, [](std::string_view from) { return records::DecodeJob(kNumber, from); }, Written<Job>);
      break;
    case 11:
      Check(
          bytes, [](std::string_view from) { return records::DecodeToken(kNumber, from); },
          Written<AccessToken>);
      break;
    case 12:
      Check(bytes, records::DecodeOperations, Written<Operations>);
      break;
    case 13:
      Check(bytes, records::DecodeMailCursor, records::EncodeMailCursor);
      break;
    case 14:
      Check(bytes, records::DecodeState, Written<records::StoreState>);
      break;
    case 15:
      Check(
          bytes, [](std::string_view from) { return records::DecodeAudit(kNumber, from); },
          Written<AuditRecord>);
      break;
    default:
      CheckChanges(bytes);
  }
  return 0;
}
