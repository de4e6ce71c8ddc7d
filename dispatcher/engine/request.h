// What goes over the wire for one attempt.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/model.h"
#include "dispatcher/engine/lane.h"
#include "dispatcher/transport/http_transport.h"

namespace hookd {

struct RequestContext {
  uint32_t epoch = 1;  // of hookd-sequence
  std::string_view user_agent;
};

// The endpoint's own, and its credentials for HTTP Basic. An access token comes with HttpRequest.oauth2.
void AddOwnHeaders(const Endpoint& endpoint, std::vector<std::pair<std::string, std::string>>& headers);

// All that hookd and the endpoint put on it, in their order. `work.sequence` 0: without hookd-sequence.
std::vector<std::pair<std::string, std::string>> RequestHeaders(const Endpoint& endpoint, const Work& work,
                                                                WallMs now, const RequestContext& context,
                                                                std::string signature);

// A signed POST of the event's bytes as they were accepted; of a batch, a JSON array of its members' in their
// order. Signed for `now`: send it at once.
HttpRequest MakeRequest(const Endpoint& endpoint, const Work& work, WallMs now,
                        const RequestContext& context);

// "host:port" of a URL that was checked, for the log: path and query may hold a key. Empty where there is
// none.
std::string HostOf(const std::string& url);

}  // namespace hookd
