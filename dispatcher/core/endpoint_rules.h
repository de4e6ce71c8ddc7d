// What an endpoint may be: every rule for its fields in one place.
#pragma once

#include <cstddef>
#include <string_view>

#include <absl/status/status.h>

#include "base/model.h"

namespace hookd {

inline constexpr size_t kMaxDescriptionBytes = 256;

// All that a client gives, and the signing keys that hookd may have made; not id, times and state.
// INVALID_ARGUMENT names the first bad field, and never holds a secret or the URL's query.
absl::Status CheckEndpoint(const Endpoint& endpoint);

// What a person says with enable, disable, pause or resume: the request's "reason". May be empty.
absl::Status CheckStateNote(std::string_view note);

}  // namespace hookd
