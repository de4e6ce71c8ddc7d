// Ids as callers write them, and stored keys: one spelling each. The input: a text, or the bytes of a key.
#include "base/ids.h"

#include <optional>
#include <string>

#include "dispatcher/core/access_token.h"
#include "storage/key_codec.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

template <typename Id>
void CheckText(std::string_view text) {
  const absl::StatusOr<Id> id = Id::Parse(text);
  if (id.ok()) {
    Must(id->ToString() == text, "an id has one spelling");
  } else {
    fuzz::MustRefuse(id.status(), 256);
  }
}

void CheckKeys(std::string_view key) {
  const std::string text(key);
  if (const auto id = keys::ParseId(key))
    Must(keys::OfId(*id) == text, "a delivery's place is written as read");
  if (const auto number = keys::ParseNumber(key)) Must(keys::OfNumber(*number) == text, "so is a number");
  if (const auto commit = keys::ParseCommit(key)) Must(keys::OfCommit(*commit) == text, "a commit");
  if (const auto id = keys::ParseEndpoint(key)) Must(keys::OfEndpoint(*id) == text, "an endpoint");
  if (const auto row = keys::ParseDelivery(key)) {
    Must(keys::OfDelivery(row->endpoint, row->sequence) == text, "a delivery");
  }
  if (const auto row = keys::ParseHistoryRow(key)) {
    Must(keys::HistoryRow(row->id, row->attempt) == text, "a row of history");
  }
  if (const auto id = keys::ParseJobRow(key)) Must(keys::JobRow(*id) == text, "a job");
  if (const auto id = keys::ParseTokenRow(key)) Must(keys::TokenRow(*id) == text, "a token");
  if (const auto bucket = keys::ParseBucketRow(key)) Must(keys::BucketRow(*bucket) == text, "a bucket");
  if (const auto hour = keys::ParseChangesHour(key)) Must(keys::ChangesHour(*hour) == text, "an hour");
  if (const auto row = keys::ParseTimeRow(key)) {
    Must(row->made_ms >= 0, "a time is not before the epoch");
    // The bucket follows from the time; a key that says another is none that was written.
    const std::string again =
        keys::TimeRow(row->subscriber, row->made_ms, row->id.endpoint, row->id.sequence);
    Must(again == text || row->id.bucket != BucketOf(row->made_ms), "a row by time");
  }
  if (const auto row = keys::ParseStateRow(key)) {
    const auto state = static_cast<DeliveryState>(static_cast<uint8_t>(text[1]));
    Must(keys::StateRow(state, row->made_ms, row->id.endpoint, row->id.sequence) == text, "a row by state");
  }
  if (const auto row = keys::ParseSubscriber(key);
      row && PartitionOf(row->id) == keys::ParseNumber(std::string(6, '\0') + text.substr(0, 2))) {
    const std::string again =
        row->endpoint ? keys::OfSubscribersEndpoint(row->id, *row->endpoint) : keys::OfSubscriber(row->id);
    Must(again == text, "a subscriber's row");
  }
  keys::ParseEvent(key);
  keys::ParseRemadeRow(key);
  keys::ParseTokenOfSubscriberRow(key);
  const std::string after = keys::After(text);
  Must(after.empty() || (after > text && after.compare(0, text.size(), text) != 0),
       "After is above the prefix");
  Must(keys::JustAfter(text) > text, "JustAfter is above the key");
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckText<EndpointId>(text);
  CheckText<EventId>(text);
  CheckText<DeliveryId>(text);
  if (const std::optional<uint64_t> id = ParseTokenName(text)) {
    fuzz::Must(TokenName(*id) == text, "a token's name has one spelling");
  }
  if (const std::optional<uint64_t> id = TokenIdOf(text)) {
    AccessToken token;
    token.id = *id;
    token.hash.fill(0x5a);
    fuzz::Must(!Verifies(token, text, 0), "a text that was made up is nobody's token");
  }
  CheckKeys(text);
  return 0;
}
