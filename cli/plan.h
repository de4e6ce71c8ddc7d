// What hookctl apply would do: the difference between what is wanted and what is there.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <google/protobuf/struct.pb.h>

#include "cli/manifest.h"
#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"

namespace hookd::cli {

// Of the subscribers that a manifest names, those that exist.
struct CurrentSubscriber {
  v1::Subscriber subscriber;
  std::vector<v1::Endpoint> endpoints;
};
using Current = std::map<std::string, CurrentSubscriber>;

struct FieldChange {
  std::string path;
  std::string before;  // "" of what is created
  std::string after;
};

enum class Action { kCreate, kChange, kDelete };

// One subscriber or endpoint.
struct Step {
  Action action = Action::kCreate;
  bool is_endpoint = false;
  std::string subscriber_id;
  std::string endpoint_id;  // "" of one that is created
  std::string label;        // of an endpoint: its name, or URL
  std::vector<FieldChange> changes;

  // What to do, beside a delete: the fields in `paths`, then the states.
  std::vector<std::string> paths;
  v1::Endpoint endpoint;
  v1::Subscriber subscriber;
  std::optional<bool> paused;
  std::optional<bool> disabled;
};

struct PlanOptions {
  bool prune = false;    // delete endpoints that the manifest does not name, where it lists endpoints
  bool secrets = false;  // send every secret again: whether one differs cannot be seen
};

// In the order to do it: subscribers before their endpoints, deletes last. The queries of URLs are masked in
// its texts. INVALID_ARGUMENT: an endpoint of the manifest fits several that are there, or is to have another
// profile.
absl::StatusOr<std::vector<Step>> MakePlan(const Manifest& manifest, const Current& current,
                                           const PlanOptions& options);

// For people: "+" is created, "~" changed, "-" deleted; and how many.
std::string PlanText(const std::vector<Step>& plan);
// {"changes": [{"action": "create", "kind": "endpoint", ...}]}
google::protobuf::Struct PlanJson(const std::vector<Step>& plan);

}  // namespace hookd::cli
