// Tokens are made and revoked on the committer's thread, so that a publish, a call and a rotation have an
// order.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/engine/ledger.h"

namespace hookd {

// All or nothing, in the open batch. NOT_FOUND: a subscriber; RESOURCE_EXHAUSTED: kMaxTokensPerSubscriber, or
// kMaxServiceTokens. The token's id, hash and time are set here.
// A subscriber whose profile has one key at a time is changed as by kRevokeAndClear, whatever `old` says.
absl::StatusOr<MadeToken> MakeToken(Ledger& ledger, AccessToken token, OldTokens old);

// NOT_FOUND.
absl::Status RevokeToken(Ledger& ledger, uint64_t id);

// The subscriber is going: what is bound to it alone ends, and others lose it.
absl::Status ReleaseTokens(Ledger& ledger, const std::string& subscriber_id);

// Whose text it is. UNAUTHENTICATED: nobody's, or it has expired. Any thread.
absl::StatusOr<AccessToken> TokenOf(const DeliveryStore& store, std::string_view text, WallMs now);

}  // namespace hookd
