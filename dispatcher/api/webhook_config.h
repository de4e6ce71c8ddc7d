// POST, GET and DELETE /v1/configs/webhook: a subscriber sets its endpoint's URL and headers by itself, with
// its API key in the header that its profile names. docs/api.md has what it takes and answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dispatcher/api/provider_rest.h"

namespace hookd {

inline constexpr std::string_view kWebhookConfigPath = "/v1/configs/webhook";

bool IsWebhookConfig(std::string_view target);

// `tools`: null = no proof of ownership is demanded. Blocks on the disk.
RestAnswer ConfigureWebhook(Engine& engine, const Toolbox* tools, Authenticator& keys,
                            const RestRequest& request);

// {"meta": {"success": false, "http_code": ..., "developer_message": ..., "details": [...]}}; without details
// where there are none.
RestAnswer WebhookConfigFailed(int status, std::string_view message, const std::vector<std::string>& details);

}  // namespace hookd
