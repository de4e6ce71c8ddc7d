// Endpoints in words, for people.
#pragma once

#include <string>

#include "cli/output.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

// "ordered", "keyed" or "parallel".
std::string ModeName(v1::DeliveryMode mode);

// "200-209,250-250".
std::string SuccessText(const v1::DeliveryPolicy& policy);

// "15s x n, at most 900s, jitter 0.1".
std::string BackoffText(const v1::Backoff& backoff);

std::string RateText(const v1::RateLimit& rate);
std::string BatchText(const v1::Batch& batch);
std::string AutoProbeText(const v1::AutoProbe& probe);
// "a on, b off".
std::string SettingsText(const v1::Endpoint& endpoint);
// "60 failures in a row over 3600s, or status 410".
std::string AutoDisableText(const v1::AutoDisable& disable);

void AddPolicy(const v1::DeliveryPolicy& policy, Fields& fields);

// "no", or why and since when.
std::string DisabledText(const v1::Endpoint& endpoint);

// "name   value" lines on standard output.
void ShowEndpoint(const v1::Endpoint& endpoint);

// Equal texts are equal settings, but for the client's key, which no text has.
std::string TlsText(const v1::Endpoint& endpoint);

// Likewise, but for password and client secret.
std::string AuthorizationText(const v1::Endpoint& endpoint);

// One field for each secret that signs, without the secret.
void AddSigningKeys(const v1::Endpoint& endpoint, Fields& fields);

}  // namespace hookd::cli
