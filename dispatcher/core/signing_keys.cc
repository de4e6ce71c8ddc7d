#include "dispatcher/core/signing_keys.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

void DropEnded(std::vector<SigningKey>& keys, WallMs now) {
  std::erase_if(keys, [now](const SigningKey& key) { return !Signs(key, now); });
}

}  // namespace

SigningKey GenerateSigningKey(SigningScheme scheme) {
  SigningKey made;
  made.scheme = scheme;
  made.key = GenerateKey();  // as long as a seed of Ed25519
  return made;
}

absl::StatusOr<SigningKey> ParseSigningKey(SigningScheme scheme, std::string_view text,
                                           std::string_view field) {
  SigningKey parsed;
  parsed.scheme = scheme;
  if (scheme == SigningScheme::kV1) {
    ASSIGN_OR_RETURN(parsed.key, ParseSecret(text, field));
  } else {
    ASSIGN_OR_RETURN(parsed.key, ParsePrivateKey(text, field));
  }
  return parsed;
}

bool Signs(const SigningKey& key, WallMs now) { return key.expires_ms == 0 || now < key.expires_ms; }

std::string Sign(const std::vector<SigningKey>& keys, WallMs now, std::string_view id,
                 std::string_view body) {
  std::string signatures;
  for (const SigningScheme scheme : {SigningScheme::kV1a, SigningScheme::kV1}) {
    for (const SigningKey& key : keys) {
      if (key.scheme != scheme || !Signs(key, now)) continue;
      if (!signatures.empty()) signatures += ' ';
      signatures += scheme == SigningScheme::kV1 ? SignV1(key.key, id, now / 1000, body)
                                                 : SignV1a(key.key, id, now / 1000, body);
    }
  }
  HOOKD_CHECK(!signatures.empty(), "an endpoint has at least one signing key");
  return signatures;
}

std::vector<std::string> SecretsAt(const std::vector<SigningKey>& keys, WallMs now) {
  std::vector<std::string> secrets;
  for (const SigningKey& key : keys) {
    if (key.scheme == SigningScheme::kV1 && Signs(key, now)) secrets.push_back(key.key);
  }
  return secrets;
}

std::string Fingerprint(const SigningKey& key) {
  return FingerprintOf(key.scheme == SigningScheme::kV1 ? key.key : PublicKeyOf(key.key));
}

absl::Status CheckSigningKeys(const std::vector<SigningKey>& keys) {
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return absl::InvalidArgumentError(
        Concat("signing_secret: there are ", keys.size(), ", use 1 to ", kMaxSigningKeys));
  }
  for (const SigningKey& key : keys) {
    const bool v1 = key.scheme == SigningScheme::kV1;
    const size_t least = v1 ? kMinKeyBytes : kEd25519Bytes;
    const size_t most = v1 ? kMaxKeyBytes : kEd25519Bytes;
    if (key.key.size() < least || key.key.size() > most) {
      return absl::InvalidArgumentError(
          Concat("signing_secret: holds a key of ", key.key.size(), " bytes, use ", least, " to ", most));
    }
  }
  const auto newest = std::find_if(keys.begin(), keys.end(),
                                   [](const SigningKey& key) { return key.scheme == SigningScheme::kV1; });
  if (newest == keys.end() || newest->expires_ms != 0) {
    return absl::InvalidArgumentError("signing_secret: no secret of scheme v1 stays, give one");
  }
  return absl::OkStatus();
}

absl::Status Rotate(std::vector<SigningKey>& keys, SigningKey added, Millis overlap, WallMs now) {
  DropEnded(keys, now);
  const WallMs end = now + overlap.count();
  for (SigningKey& key : keys) {
    if (key.scheme != added.scheme) continue;
    if (key.key == added.key) return absl::AlreadyExistsError("secret: the endpoint has it already");
    if (key.expires_ms == 0 || key.expires_ms > end) key.expires_ms = end;
  }
  DropEnded(keys, now);  // an overlap of 0
  if (keys.size() >= kMaxSigningKeys) {
    return absl::ResourceExhaustedError(Concat(
        "signing_keys: there are ", keys.size(),
        ", which is the most: wait until one has ended, or end those of the scheme with an overlap of 0"));
  }
  added.created_ms = now;
  keys.insert(keys.begin(), std::move(added));
  return absl::OkStatus();
}

void SettleKeys(const std::vector<SigningKey>& before, std::vector<SigningKey>& keys, WallMs now) {
  DropEnded(keys, now);
  for (SigningKey& key : keys) {
    const bool known = std::find(before.begin(), before.end(), key) != before.end();
    if (!known && key.created_ms == 0) key.created_ms = now;
  }
}

}  // namespace hookd
