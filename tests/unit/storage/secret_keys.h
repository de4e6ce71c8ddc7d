// Keys for secrets, told apart by a letter.
#pragma once

#include <cstdint>
#include <string>

#include "storage/secret_keys.h"

namespace hookd::testing {

inline SecretKey Key(char fill) {
  SecretKey key;
  key.bytes.fill(static_cast<uint8_t>(fill));
  return key;
}

inline SecretKeys Keys(char newest, const std::string& old = "") {
  SecretKeys keys;
  keys.newest = Key(newest);
  for (const char fill : old) keys.old.push_back(Key(fill));
  return keys;
}

}  // namespace hookd::testing
