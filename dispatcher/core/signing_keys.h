// The secrets that sign an endpoint's requests, newest first: which of them do, and how they change. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

inline constexpr Millis kDefaultOverlap{24LL * 3'600'000};
inline constexpr Millis kMaxOverlap{30LL * 24 * 3'600'000};

// Of its scheme, from randomness.
SigningKey GenerateSigningKey(SigningScheme scheme);

// What a person brings: "whsec_..." for V1, "whsk_..." for V1A. INVALID_ARGUMENT begins with `field`, and is
// without the secret.
absl::StatusOr<SigningKey> ParseSigningKey(SigningScheme scheme, std::string_view text,
                                           std::string_view field);

// Has not ended.
bool Signs(const SigningKey& key, WallMs now);

// The value of webhook-signature at `now`: every key that signs, V1A before V1, each newest first, joined by
// one space. The order is for verifiers that look at the last one alone: during a rotation that is the V1 key
// that receivers have already. One of `keys` has to sign.
std::string Sign(const std::vector<SigningKey>& keys, WallMs now, std::string_view id, std::string_view body);

// Raw, of the V1 keys that sign; newest first.
std::vector<std::string> SecretsAt(const std::vector<SigningKey>& keys, WallMs now);

// Of a secret: over its bytes. Of a key pair: over the public key.
std::string Fingerprint(const SigningKey& key);

// 1 to kMaxSigningKeys of their sizes; the newest V1 key has no end. INVALID_ARGUMENT "signing_secret: ...".
absl::Status CheckSigningKeys(const std::vector<SigningKey>& keys);

// `added` signs from `now` on; those of its scheme end `overlap` later, if not before, and at once with 0.
// What has ended goes. ALREADY_EXISTS: it is there; RESOURCE_EXHAUSTED: kMaxSigningKeys are. An error leaves
// `keys` in pieces.
absl::Status Rotate(std::vector<SigningKey>& keys, SigningKey added, Millis overlap, WallMs now);

// Of an endpoint that is stored at `now`: what has ended goes, and what was not there `before` is new.
void SettleKeys(const std::vector<SigningKey>& before, std::vector<SigningKey>& keys, WallMs now);

}  // namespace hookd
