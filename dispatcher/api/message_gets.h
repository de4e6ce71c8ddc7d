// GET /api2/msg_get_last/KEY/?col=1..100&from_me=0|1 and GET /api2/msg_get/KEY/?phone=...&col=1..100: the
// newest messages that were published for the key's subscriber, all or of one chat, as its profile's
// message_gets says.
// {"err": 0, "msg_data": [...]}, the newest first; {"err": 1, "err_msg": "..."}.
#pragma once

#include <string_view>

#include "dispatcher/api/provider_rest.h"

namespace hookd {

bool IsMessageGet(std::string_view target);

// Blocks on the disk.
RestAnswer GetMessages(Engine& engine, Authenticator& keys, const RestRequest& request);

RestAnswer MessageGetFailed(int status, std::string_view message);

}  // namespace hookd
