// The policy of an endpoint, as a file writes it.
#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "cli/yaml_reader.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

// Sets what is given, and adds its paths. A field in parts is given whole: a part that is missing takes its
// default, as hookd would.
absl::Status ReadPolicy(const YamlValue& value, v1::DeliveryPolicy& policy, std::vector<std::string>& paths);

}  // namespace hookd::cli
