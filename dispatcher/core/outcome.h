// What an exchange came to.
#pragma once

#include "base/model.h"

namespace hookd {

// The verdict over one attempt: `transport_error` if there is one, else whether `status` is in the policy's
// success ranges (kNone) or not (kStatus). `status` 0 = no answer, which is never a success.
ErrorKind Judge(const DeliveryPolicy& policy, ErrorKind transport_error, int status);

// Whether the attempt counts as a retry and against the endpoint's health: not a success, and not our own
// trouble.
bool CountsAsFailure(ErrorKind error);

}  // namespace hookd
