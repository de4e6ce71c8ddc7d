// A field of an endpoint in words, by its path of the update mask.
#pragma once

#include <string>

#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"

namespace hookd::cli {

// Equal texts are equal settings, but for secrets, which no text has.
std::string EndpointFieldText(const v1::Endpoint& endpoint, const std::string& path);

// Likewise, of a subscriber.
std::string SubscriberFieldText(const v1::Subscriber& subscriber, const std::string& path);

}  // namespace hookd::cli
