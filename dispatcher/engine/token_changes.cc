#include "dispatcher/engine/token_changes.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/access_token.h"

namespace hookd {
namespace {

// Of a subscriber; `limit` at most.
absl::StatusOr<std::vector<AccessToken>> TokensOf(Ledger& ledger, const std::string& subscriber_id) {
  return ledger.store().ListTokens(subscriber_id, 0, kMaxTokensPerSubscriber);
}

absl::Status CheckRoom(Ledger& ledger, const AccessToken& token, OldTokens old) {
  for (const std::string& id : token.subscriber_ids) {
    if (old != OldTokens::kKeep) break;
    ASSIGN_OR_RETURN(const std::vector<AccessToken> tokens, TokensOf(ledger, id));
    if (tokens.size() < kMaxTokensPerSubscriber) continue;
    return absl::ResourceExhaustedError(
        Concat("subscriber ", id, " has ", kMaxTokensPerSubscriber, " tokens: revoke one first"));
  }
  if (token.role == TokenRole::kSubscriber) return absl::OkStatus();
  // Those that are bound to nobody are few: they are counted among all by their role.
  size_t others = 0;
  for (uint64_t after = 0;;) {
    ASSIGN_OR_RETURN(const std::vector<AccessToken> page, ledger.store().ListTokens("", after, 1'000));
    if (page.empty()) return absl::OkStatus();
    others += static_cast<size_t>(std::count_if(
        page.begin(), page.end(), [](const AccessToken& one) { return one.role != TokenRole::kSubscriber; }));
    if (others >= kMaxServiceTokens) {
      return absl::ResourceExhaustedError(
          Concat("there are ", kMaxServiceTokens, " tokens without a subscriber: revoke one first"));
    }
    after = page.back().id;
  }
}

void ClearUrls(Ledger& ledger, const Registry::Account& account) {
  std::vector<std::shared_ptr<const Endpoint>> endpoints;
  for (const auto& [id, endpoint] : account.endpoints) endpoints.push_back(endpoint);
  for (const std::shared_ptr<const Endpoint>& endpoint : endpoints) {
    auto cleared = std::make_shared<Endpoint>(*endpoint);
    cleared->url.clear();
    cleared->disabled = DisableReason::kUrlCleared;
    cleared->disabled_ms = cleared->updated_ms = ledger.now();
    ledger.PutEndpoint(std::move(cleared));
  }
}

}  // namespace

absl::StatusOr<MadeToken> MakeToken(Ledger& ledger, AccessToken token, OldTokens old) {
  std::map<uint64_t, AccessToken> ended;
  for (const std::string& id : token.subscriber_ids) {
    ASSIGN_OR_RETURN(const Registry::Account* account, ledger.registry().Find(id));
    if (account == nullptr) {
      return absl::NotFoundError(Concat("subscriber_ids: no subscriber ", id, ": create it first"));
    }
    if (old == OldTokens::kKeep) continue;
    ASSIGN_OR_RETURN(std::vector<AccessToken> tokens, TokensOf(ledger, id));
    for (AccessToken& one : tokens) ended.emplace(one.id, std::move(one));
  }
  RETURN_IF_ERROR(CheckRoom(ledger, token, old));
  for (const auto& [id, one] : ended) ledger.Apply(TokenRevoked{one});
  for (const std::string& id : token.subscriber_ids) {
    if (old != OldTokens::kRevokeAndClear) break;
    ASSIGN_OR_RETURN(const Registry::Account* account, ledger.registry().Find(id));
    if (account != nullptr) ClearUrls(ledger, *account);
  }
  NewTokenText made = GenerateToken();
  token.id = made.id;
  token.hash = made.hash;
  token.created_ms = ledger.now();
  ledger.Apply(TokenMade{token});
  return MadeToken{std::move(token), std::move(made.text)};
}

absl::Status ReleaseTokens(Ledger& ledger, const std::string& subscriber_id) {
  ASSIGN_OR_RETURN(const std::vector<AccessToken> tokens, TokensOf(ledger, subscriber_id));
  for (AccessToken token : tokens) {
    ledger.Apply(TokenRevoked{token});
    std::erase(token.subscriber_ids, subscriber_id);
    if (!token.subscriber_ids.empty()) ledger.Apply(TokenMade{token});
  }
  return absl::OkStatus();
}

}  // namespace hookd
