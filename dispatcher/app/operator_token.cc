#include "dispatcher/app/operator_token.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/audit_forms.h"
#include "dispatcher/app/secrets.h"
#include "dispatcher/core/access_token.h"
#include "dispatcher/core/audit_chain.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

constexpr size_t kPage = 1'000;

template <typename Take>
absl::Status EachToken(const DeliveryStore& store, const Take& take) {
  uint64_t after = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<AccessToken> page, store.ListTokens("", after, kPage));
    for (const AccessToken& token : page) {
      if (!take(token)) return absl::OkStatus();
    }
    if (page.size() < kPage) return absl::OkStatus();
    after = page.back().id;
  }
}

}  // namespace

absl::StatusOr<std::string> MakeOperatorToken(const config::v1::Config& config) {
  RocksDbOptions options;
  options.path = config.data_dir();
  options.wal_bytes = static_cast<size_t>(config.storage().wal_bytes().bytes());
  options.block_cache_bytes = static_cast<size_t>(config.storage().block_cache().bytes());
  ASSIGN_OR_RETURN(options.secrets, ReadSecretKeys(config.secrets()));
  options.ballast_bytes = static_cast<size_t>(config.storage().ballast().bytes());
  ASSIGN_OR_RETURN(const std::unique_ptr<DeliveryStore> store, OpenRocksDbStore(options, RealClock()));
  ASSIGN_OR_RETURN(const DeliveryStore::Recovered recovered, store->Recover());
  size_t others = 0;
  RETURN_IF_ERROR(EachToken(*store, [&others](const AccessToken& token) {
    others += token.role != TokenRole::kSubscriber ? 1 : 0;
    return true;
  }));
  if (others >= kMaxServiceTokens) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", others, " tokens without a subscriber: revoke one first"));
  }
  NewTokenText made = GenerateToken();
  AccessToken token;
  token.id = made.id;
  token.hash = made.hash;
  token.role = TokenRole::kOperator;
  token.description = "made by hookd --make-operator-token";
  token.created_ms = std::max(RealClock().Wall(), recovered.wall_high_water_ms);
  AuditRecord record;
  record.origin.actor = std::string(kLocalActor);
  record.origin.call = "hookd --make-operator-token";
  record.change = {"token", TokenName(token.id), "", "", ApiAuditForms().Show(token), {}};
  AuditTail tail = recovered.audit;
  // Not the token's own time, which a leap of the clock may have set ahead for good.
  const WallMs at = recovered.operations.clock_suspect ? tail.at_ms : RealClock().Wall();
  if (recovered.restored_backup != 0) {
    AuditRecord restored = RestoreRecord(recovered.restored_backup, recovered.epoch);
    Chain(restored, at, tail);
    store->Apply(Audited{std::move(restored)});
  }
  Chain(record, at, tail);
  store->Apply(TokenMade{std::move(token)});
  store->Apply(Audited{std::move(record)});
  RETURN_IF_ERROR(store->Commit(RealClock().Wall()));
  return std::move(made.text);
}

absl::StatusOr<bool> HasOperatorToken(const DeliveryStore& store, WallMs now) {
  bool found = false;
  RETURN_IF_ERROR(EachToken(store, [&found, now](const AccessToken& token) {
    found = token.role == TokenRole::kOperator && (token.expires_ms == 0 || now < token.expires_ms);
    return !found;
  }));
  return found;
}

}  // namespace hookd
