// What an endpoint's requests carry in the Authorization header: HTTP Basic, or a token by OAuth 2.0 client
// credentials (RFC 6749, 4.4), with what is asked of the token server and what its answer means. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxCredentialNameBytes = 256;     // a user, a client_id
inline constexpr size_t kMaxCredentialSecretBytes = 1024;  // a password, a client_secret
inline constexpr size_t kMaxScopes = 32;
inline constexpr size_t kMaxScopeBytes = 128;
inline constexpr size_t kMaxAudienceBytes = 2048;
inline constexpr size_t kMaxAccessTokenBytes = 8 * 1024;
// Of a token whose answer does not say, and the longest that is believed.
inline constexpr Millis kDefaultTokenLifetime{5 * 60'000};
inline constexpr Millis kMaxTokenLifetime{24LL * 3'600'000};
// A token is renewed so long before it ends, or a quarter of its lifetime if that is less.
inline constexpr Millis kTokenMargin{60'000};

// INVALID_ARGUMENT "authorization...: ..." holds no value. One of the two, whole, and no such header beside
// it.
absl::Status CheckAuthorization(const Endpoint& endpoint);

// "Basic ..."
std::string BasicValue(const BasicCredentials& basic);

struct TokenRequest {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string form;
};
TokenRequest MakeTokenRequest(const OAuth2Credentials& oauth2);

struct AccessGrant {
  std::string token;  // visible ASCII, at most kMaxAccessTokenBytes
  Millis lifetime{};
};
// The token server's answer. The error is for people: what was wrong, and nothing that the server can choose.
absl::StatusOr<AccessGrant> ReadTokenAnswer(int status, std::string_view body, bool truncated);

// From the answer to the renewal.
Millis RenewAfter(Millis lifetime);

}  // namespace hookd
