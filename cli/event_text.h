// Events in words and JSON.
#pragma once

#include <string>

#include "hookd/v1/event_service.pb.h"

namespace hookd::cli {

// On one line, with the payload's own JSON in "payload".
std::string EventJson(const v1::Event& event);

// "name   value" lines, with the payload on the last.
std::string EventText(const v1::Event& event);

}  // namespace hookd::cli
