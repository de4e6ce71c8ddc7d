#include <algorithm>

#include <absl/status/statusor.h>

#include "hookd/storage/v1/records.pb.h"
#include "storage/record_codec.h"
#include "storage/record_parts.h"

namespace hookd::records {

namespace pb = hookd::storage::v1;

std::string Encode(const AccessToken& token) {
  pb::TokenRecord record;
  record.set_role(static_cast<uint32_t>(token.role));
  for (const std::string& id : token.subscriber_ids) record.add_subscriber_ids(id);
  record.set_description(token.description);
  record.set_hash(token.hash.data(), token.hash.size());
  record.set_created_ms(token.created_ms);
  record.set_expires_ms(token.expires_ms);
  record.set_bytes_per_second(token.bytes_per_second);
  record.set_max_payload_bytes(token.max_payload_bytes);
  return record.SerializeAsString();
}

absl::StatusOr<AccessToken> DecodeToken(uint64_t id, std::string_view bytes) {
  pb::TokenRecord record;
  AccessToken token;
  if (!Parse(record, bytes) || record.role() == 0 || !UpTo(TokenRole::kSubscriber, record.role()) ||
      record.hash().size() != token.hash.size()) {
    return Damaged("token");
  }
  token.id = id;
  token.role = static_cast<TokenRole>(record.role());
  token.subscriber_ids.assign(record.subscriber_ids().begin(), record.subscriber_ids().end());
  token.description = record.description();
  std::copy(record.hash().begin(), record.hash().end(), token.hash.begin());
  token.created_ms = record.created_ms();
  token.expires_ms = record.expires_ms();
  token.bytes_per_second = record.bytes_per_second();
  token.max_payload_bytes = record.max_payload_bytes();
  return token;
}

}  // namespace hookd::records
