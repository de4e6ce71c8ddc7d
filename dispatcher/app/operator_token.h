// The first token, which no call can make where every call needs one.
#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "hookd/config/v1/config.pb.h"
#include "storage/delivery_store.h"

namespace hookd {

// Makes a token of role operator in the data folder, and gives its text: whoever may write that folder may do
// anything anyway. FAILED_PRECONDITION: hookd runs; RESOURCE_EXHAUSTED: kMaxServiceTokens are there.
absl::StatusOr<std::string> MakeOperatorToken(const config::v1::Config& config);

// There is one that is valid at `now`.
absl::StatusOr<bool> HasOperatorToken(const DeliveryStore& store, WallMs now);

}  // namespace hookd
