// The text of a token and what verifies it. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// Of tokens bound to one subscriber; and of those that are bound to none.
inline constexpr size_t kMaxTokensPerSubscriber = 20;
inline constexpr size_t kMaxServiceTokens = 1'000;

// "hkt_", the id in 16 hex digits, "_", and 32 random bytes in hex.
struct NewTokenText {
  std::string text;
  uint64_t id = 0;
  std::array<uint8_t, 32> hash{};
};
// Ends the process if the system gives no randomness.
NewTokenText GenerateToken();

// The id that the text names; nullopt = it is no token's text.
std::optional<uint64_t> TokenIdOf(std::string_view text);

// The text is this token's, and it has not expired. Takes as long for a wrong text as for the right one.
bool Verifies(const AccessToken& token, std::string_view text, WallMs now);

// "tok_" and the id in 16 hex digits: what lists show.
std::string TokenName(uint64_t id);
std::optional<uint64_t> ParseTokenName(std::string_view name);

// INVALID_ARGUMENT names the field: subscriber_ids (bound exactly if the role is a subscriber's),
// description, expires_ms (later than `now`).
absl::Status CheckToken(const AccessToken& token, WallMs now);

}  // namespace hookd
