// A member of a JSON object as it is written: no number is rounded, no text escaped anew.
#pragma once

#include <optional>
#include <string_view>

namespace hookd {

// The value of `object`'s member `name`, a part of `object`; of several the last, as most readers have it.
// `object`: a text that CheckJson takes; nullopt where it is no object, or has no such member. `name`:
// without
// '"' and '\\'; a key that is written with escapes is none of its names.
std::optional<std::string_view> JsonMember(std::string_view object, std::string_view name);

}  // namespace hookd
