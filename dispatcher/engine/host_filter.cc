#include "dispatcher/engine/host_filter.h"

#include "base/concat.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {

bool HasHost(std::string_view url, std::string_view host) {
  const absl::StatusOr<ParsedUrl> parsed = ParseUrl(url);
  if (!parsed.ok()) return false;
  if (parsed->host == host) return true;
  const bool v6 = parsed->host.find(':') != std::string::npos;
  const std::string name = v6 ? Concat("[", parsed->host, "]") : parsed->host;
  return name == host || Concat(name, ":", parsed->port) == host;
}

}  // namespace hookd
