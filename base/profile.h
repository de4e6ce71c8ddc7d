// A profile as plain values: a preset of endpoints, and a catalogue of event types, that behave as one
// documented provider does. proto/hookd/config/v1/profile.proto says what each means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/model.h"

namespace hookd {

// What a setting does to its endpoint: over the profile's policy.
struct ProfileEffect {
  std::optional<DeliveryMode> mode;
  std::optional<uint32_t> max_in_flight;
  std::optional<uint32_t> max_retries;
  std::vector<std::string> mutes;  // event types, exact or a prefix
};

struct ProfileSetting {
  std::string name;
  std::vector<std::string> aliases;
  bool on = false;  // where the endpoint does not say
  std::string description;
  ProfileEffect when_on;
  ProfileEffect when_off;
};

struct ProfileSample {
  std::string name;
  std::string description;
  std::string file;
  std::string payload;  // JSON, as it would be published
};

struct ProfileEventType {
  std::string name;
  std::string title;
  std::string description;
  bool batch = false;              // goes out as arrays of objects, where the policy batches it
  std::vector<std::string> plans;  // that have it; empty = every plan
  std::string schema_file;         // empty = any JSON
  std::string schema;              // JSON Schema of one payload
  std::vector<ProfileSample> samples;
};

// What an endpoint has to prove before it is active.
enum class Ownership : uint8_t { kNone, kHubChallenge, kHmacChallenge, kCloudEvents };

struct ProfileApiKey {
  std::string header;
  bool clears_endpoints = false;  // a new key takes the endpoints' URLs
  bool echoes_headers = true;     // its owner reads the values of its endpoint's headers
};

// Event types, exact or a prefix, and the member of a payload that is a message.
struct ProfileMessageGets {
  std::string incoming;
  std::string outgoing;
  std::string all;
  std::string member;
};

struct Profile {
  std::string name;
  std::string title;
  std::string description;
  DeliveryPolicy policy;
  std::vector<std::string> overridable;  // names of the API's policy fields
  Millis longest_timeout{0};
  std::vector<std::string> schemes;
  std::vector<uint16_t> ports;         // empty = any
  uint32_t endpoints_per_channel = 0;  // 0 = any number
  bool custom_headers = true;
  std::vector<ProfileSetting> settings;
  std::vector<std::string> simulation_plans;  // that have it; empty = every plan
  std::vector<std::string> capture_plans;
  Ownership ownership = Ownership::kNone;
  std::optional<ProfileApiKey> api_key;
  std::optional<ProfileMessageGets> message_gets;
  std::vector<ProfileEventType> event_types;
};

}  // namespace hookd
