// Headers as an attempt's record keeps them: what a person may see of them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/model.h"

namespace hookd {

// As Attempt says: lines in their order, at most kKeptHeaderBytes. Values of the endpoint's secret headers,
// of the signature, and of what commonly carries credentials are left out.
// What HTTP itself adds (Host, Accept, Content-Length) is not among the request's.
std::string KeptRequestHeaders(const std::vector<std::pair<std::string, std::string>>& headers,
                               const Endpoint& endpoint);
// `raw`: as HttpResult has them.
std::string KeptResponseHeaders(std::string_view raw);

}  // namespace hookd
