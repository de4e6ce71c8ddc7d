// Events as lines of JSON: {"subscriber_id": "...", "type": "...", "payload": <any JSON>, ...}, with the
// fields of hookd.v1.NewEvent; times in RFC 3339.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "hookd/v1/event_service.pb.h"

namespace hookd::cli {

// The payload is the text of the "payload" member, byte for byte. INVALID_ARGUMENT: not such a line; the
// payload itself is checked by the server.
absl::Status ParseEventLine(std::string_view line, v1::NewEvent& event);

}  // namespace hookd::cli
