#include "cli/audit_verifier.h"

#include <algorithm>

#include <absl/strings/escaping.h>
#include <google/protobuf/util/time_util.h>
#include <openssl/sha.h>

#include "base/concat.h"

namespace hookd::cli {
namespace {

AuditRecord FromProto(const v1::AuditRecord& proto) {
  AuditRecord record;
  record.number = proto.number();
  record.at_ms = google::protobuf::util::TimeUtil::TimestampToMilliseconds(proto.time());
  record.origin = {proto.actor(), proto.actor_role(), proto.actor_name(),
                   proto.peer(),  proto.call(),       proto.reason()};
  record.change = {proto.resource_type(), proto.resource_id(),
                   proto.subscriber_id(), proto.before(),
                   proto.after(),         {proto.secrets_changed().begin(), proto.secrets_changed().end()}};
  return record;
}

std::string HashText(const AuditHash& before, const AuditRecord& record) {
  std::string text(reinterpret_cast<const char*>(before.data()), before.size());
  text += AuditText(record);
  AuditHash hash{};
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), hash.data());
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

}  // namespace

std::optional<std::string> AuditVerifier::Take(const v1::AuditRecord& record) {
  const std::string bytes = absl::HexStringToBytes(
      record.hash().size() == 2 * hash_.size() ? absl::string_view(record.hash()) : absl::string_view());
  if (bytes.size() != hash_.size()) return Concat("record ", record.number(), " has no hash");
  if (taken_ > 0 && record.number() != number_ + 1) {
    return Concat("record ", number_ + 1, " is missing: ", record.number(), " follows ", number_);
  }
  const bool linked = taken_ > 0 || record.number() == 1;
  if (linked && HashText(hash_, FromProto(record)) != record.hash()) {
    return Concat("record ", record.number(), " is not as it was written, or the one before it is not");
  }
  ++taken_;
  number_ = record.number();
  hash_text_ = record.hash();
  std::copy(bytes.begin(), bytes.end(), hash_.begin());
  return std::nullopt;
}

}  // namespace hookd::cli
