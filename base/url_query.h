// The query of an endpoint's URL is a secret: how it is shown.
#pragma once

#include <string>
#include <string_view>

namespace hookd {

// A query may hold a key: "https://a.example/h?key=secret&x" reads as "https://a.example/h?key=***&***".
std::string MaskQuery(std::string_view url);

// A value of its query, or what stands there without a name, is "***": it came from a masked read.
bool HoldsMasked(std::string_view url);

}  // namespace hookd
