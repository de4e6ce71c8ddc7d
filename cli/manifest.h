// The file of hookctl apply: subscribers and endpoints as they are to be. docs/hookctl.md has the schema.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"

namespace hookd::cli {

struct WantedEndpoint {
  // What hookd keeps as its description, and the key to find it by; "" = the URL is the key.
  std::string name;
  // The fields that the file gives, as the paths of an update mask; not the profile, which cannot be updated.
  std::vector<std::string> paths;
  v1::Endpoint endpoint;
  std::optional<bool> paused;
  std::optional<bool> disabled;
};

struct WantedSubscriber {
  std::string id;
  // The fields that the file gives, as the paths of an update mask.
  std::vector<std::string> paths;
  v1::Subscriber subscriber;
  std::optional<bool> paused;
  // The file says which endpoints it has, if only that there are none.
  bool lists_endpoints = false;
  std::vector<WantedEndpoint> endpoints;
};

struct Manifest {
  std::vector<WantedSubscriber> subscribers;
};

// YAML or JSON. INVALID_ARGUMENT: "name:line: key: reason". Secrets are read from the files that it names.
absl::StatusOr<Manifest> ParseManifest(std::string_view text, const std::string& name);

}  // namespace hookd::cli
