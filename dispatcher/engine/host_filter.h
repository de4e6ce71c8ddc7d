// Which URLs a host stands for, as people write it.
#pragma once

#include <string_view>

namespace hookd {

// `host`: "name" (any port) or "name:port" (the scheme's if the URL has none), lower case; an IPv6 address in
// brackets where a port follows. `url` has passed core/url_rules.h.
bool HasHost(std::string_view url, std::string_view host);

}  // namespace hookd
