#include <algorithm>
#include <optional>

#include <absl/status/status.h>

#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

bool IsBoundTo(const AccessToken& token, const std::string& subscriber_id) {
  return std::find(token.subscriber_ids.begin(), token.subscriber_ids.end(), subscriber_id) !=
         token.subscriber_ids.end();
}

}  // namespace

void RocksDbStore::Write(const TokenMade& fact) {
  Put(kTokens, keys::TokenRow(fact.token.id), records::Encode(fact.token));
  for (const std::string& subscriber : fact.token.subscriber_ids) {
    Put(kTokens, keys::TokenOfSubscriberRow(StableHash(subscriber), fact.token.id), std::string());
  }
}

void RocksDbStore::Write(const TokenRevoked& fact) {
  Delete(kTokens, keys::TokenRow(fact.token.id));
  for (const std::string& subscriber : fact.token.subscriber_ids) {
    Delete(kTokens, keys::TokenOfSubscriberRow(StableHash(subscriber), fact.token.id));
  }
}

absl::StatusOr<AccessToken> RocksDbStore::ReadToken(uint64_t id) const {
  const Reader reader(*this);
  std::string value;
  ASSIGN_OR_RETURN(const bool found, reader.Get(kTokens, keys::TokenRow(id), value));
  if (!found) return absl::NotFoundError("no token has this id");
  return records::DecodeToken(id, value);
}

absl::StatusOr<std::vector<AccessToken>> RocksDbStore::ListTokens(const std::string& subscriber_id,
                                                                  uint64_t after, size_t limit) const {
  const Reader reader(*this);
  std::vector<AccessToken> tokens;
  if (subscriber_id.empty()) {
    RETURN_IF_ERROR(reader.Scan(kTokens, keys::JustAfter(keys::TokenRow(after)), keys::AfterTokens(),
                                [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                  if (tokens.size() == limit) return false;
                                  const std::optional<uint64_t> id = keys::ParseTokenRow(key);
                                  if (!id) return UnknownRow();
                                  ASSIGN_OR_RETURN(tokens.emplace_back(), records::DecodeToken(*id, value));
                                  return true;
                                }));
    return tokens;
  }
  const uint64_t subscriber = StableHash(subscriber_id);
  RETURN_IF_ERROR(reader.Scan(kTokens, keys::JustAfter(keys::TokenOfSubscriberRow(subscriber, after)),
                              keys::AfterTokensOfSubscriber(subscriber),
                              [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                                if (tokens.size() == limit) return false;
                                const std::optional<uint64_t> id = keys::ParseTokenOfSubscriberRow(key);
                                if (!id) return UnknownRow();
                                std::string value;
                                ASSIGN_OR_RETURN(const bool found,
                                                 reader.Get(kTokens, keys::TokenRow(*id), value));
                                if (!found) return absl::DataLossError("a token that is listed is missing");
                                ASSIGN_OR_RETURN(AccessToken token, records::DecodeToken(*id, value));
                                // Another subscriber may have the same hash.
                                if (IsBoundTo(token, subscriber_id)) tokens.push_back(std::move(token));
                                return true;
                              }));
  return tokens;
}

}  // namespace hookd
