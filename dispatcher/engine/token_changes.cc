#include "dispatcher/engine/token_changes.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
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

// A token that ends, and for whom it stays valid.
struct Ended {
  AccessToken token;
  std::vector<std::string> stays;
};

bool ClearsEndpoints(Ledger& ledger, const Subscriber& subscriber) {
  const LoadedProfile* profile = ledger.ProfileOf(subscriber);
  return profile != nullptr && (*profile)->api_key && (*profile)->api_key->clears_endpoints;
}

// `kept`: those of the token's subscribers whose older tokens stay.
absl::Status CheckRoom(Ledger& ledger, const AccessToken& token, const std::vector<std::string>& kept) {
  for (const std::string& id : kept) {
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

// What a person said, or still has to be proven, holds for the next URL too; all else waits for it.
bool StaysDisabled(const Endpoint& endpoint) {
  return endpoint.disabled == DisableReason::kPerson || endpoint.disabled == DisableReason::kUnverified;
}

void ClearUrls(Ledger& ledger, const Registry::Account& account) {
  std::vector<std::shared_ptr<const Endpoint>> endpoints;
  for (const auto& [id, endpoint] : account.endpoints) endpoints.push_back(endpoint);
  for (const std::shared_ptr<const Endpoint>& endpoint : endpoints) {
    auto cleared = std::make_shared<Endpoint>(*endpoint);
    cleared->url.clear();
    if (!StaysDisabled(*cleared)) {
      cleared->disabled = DisableReason::kUrlCleared;
      cleared->disabled_ms = ledger.now();
    }
    cleared->updated_ms = ledger.now();
    ledger.PutEndpoint(std::move(cleared));
  }
}

}  // namespace

absl::StatusOr<MadeToken> MakeToken(Ledger& ledger, AccessToken token, OldTokens old) {
  std::map<uint64_t, Ended> ended;
  std::vector<std::string> kept;
  std::vector<std::string> cleared;
  for (const std::string& id : token.subscriber_ids) {
    ASSIGN_OR_RETURN(const Registry::Account* account, ledger.registry().Find(id));
    if (account == nullptr) {
      return absl::NotFoundError(Concat("subscriber_ids: no subscriber ", id, ": create it first"));
    }
    const bool clears = ClearsEndpoints(ledger, account->subscriber);
    if (clears || old == OldTokens::kRevokeAndClear) cleared.push_back(id);
    if (!clears && old == OldTokens::kKeep) {
      kept.push_back(id);
      continue;
    }
    ASSIGN_OR_RETURN(std::vector<AccessToken> tokens, TokensOf(ledger, id));
    for (AccessToken& one : tokens) {
      std::vector<std::string> stays = one.subscriber_ids;
      const uint64_t key = one.id;
      Ended& it = ended.try_emplace(key, Ended{std::move(one), std::move(stays)}).first->second;
      // A profile speaks for its own subscriber only: a partner's others keep the token.
      if (old == OldTokens::kKeep) {
        std::erase(it.stays, id);
      } else {
        it.stays.clear();
      }
    }
  }
  RETURN_IF_ERROR(CheckRoom(ledger, token, kept));
  for (auto& [id, one] : ended) {
    if (one.stays.empty()) {
      ledger.RemoveToken(one.token);
      continue;
    }
    AccessToken narrowed = one.token;
    narrowed.subscriber_ids = std::move(one.stays);
    ledger.PutToken(narrowed, &one.token);
  }
  for (const std::string& id : cleared) {
    ASSIGN_OR_RETURN(const Registry::Account* account, ledger.registry().Find(id));
    if (account != nullptr) ClearUrls(ledger, *account);
  }
  NewTokenText made = GenerateToken();
  token.id = made.id;
  token.hash = made.hash;
  token.created_ms = ledger.now();
  ledger.PutToken(token);
  return MadeToken{std::move(token), std::move(made.text)};
}

absl::Status RevokeToken(Ledger& ledger, uint64_t id) {
  ASSIGN_OR_RETURN(const AccessToken token, ledger.store().ReadToken(id));
  ledger.RemoveToken(token);
  return absl::OkStatus();
}

absl::Status ReleaseTokens(Ledger& ledger, const std::string& subscriber_id) {
  ASSIGN_OR_RETURN(const std::vector<AccessToken> tokens, TokensOf(ledger, subscriber_id));
  for (const AccessToken& token : tokens) {
    AccessToken narrowed = token;
    std::erase(narrowed.subscriber_ids, subscriber_id);
    if (narrowed.subscriber_ids.empty()) {
      ledger.RemoveToken(token);
    } else {
      ledger.PutToken(narrowed, &token);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AccessToken> TokenOf(const DeliveryStore& store, std::string_view text, WallMs now) {
  const absl::Status unknown = absl::UnauthenticatedError("the API key is not known, or not valid any more");
  const std::optional<uint64_t> id = TokenIdOf(text);
  if (!id) return unknown;
  absl::StatusOr<AccessToken> token = store.ReadToken(*id);
  if (absl::IsNotFound(token.status())) return unknown;
  if (token.ok() && !Verifies(*token, text, now)) return unknown;
  return token;
}

}  // namespace hookd
