#include "base/url_query.h"

#include <algorithm>

namespace hookd {
namespace {

constexpr std::string_view kMask = "***";

// Calls `part(name, value)` for each part of the query; `name` ends with its '=', or is empty. What has
// nothing but
// '=' behind it is a value: a key in base64, perhaps.
template <typename Part>
void EachPart(std::string_view query, Part part) {
  while (true) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    const size_t equals = one.find('=');
    const bool named =
        equals != std::string_view::npos && one.find_first_not_of('=', equals) != std::string_view::npos;
    const size_t name = named ? equals + 1 : 0;
    part(one.substr(0, name), one.substr(name));
    if (end == query.size()) return;
    query.remove_prefix(end + 1);
  }
}

}  // namespace

std::string MaskQuery(std::string_view url) {
  const size_t mark = url.find('?');
  if (mark == std::string_view::npos) return std::string(url);
  std::string masked(url.substr(0, mark));
  char before = '?';
  EachPart(url.substr(mark + 1), [&](std::string_view name, std::string_view value) {
    masked += before;
    masked += name;
    if (!value.empty()) masked += kMask;
    before = '&';
  });
  return masked;
}

bool HoldsMasked(std::string_view url) {
  const size_t mark = url.find('?');
  bool holds = false;
  if (mark == std::string_view::npos) return holds;
  EachPart(url.substr(mark + 1), [&](std::string_view, std::string_view value) { holds |= value == kMask; });
  return holds;
}

}  // namespace hookd
