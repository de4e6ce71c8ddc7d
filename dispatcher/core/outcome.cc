#include "dispatcher/core/outcome.h"

#include <algorithm>

namespace hookd {

ErrorKind Judge(const DeliveryPolicy& policy, ErrorKind transport_error, int status) {
  if (transport_error != ErrorKind::kNone) return transport_error;
  if (status == 0) return ErrorKind::kProtocol;
  const bool success = std::any_of(policy.success.begin(), policy.success.end(), [status](StatusRange range) {
    return range.first <= status && status <= range.last;
  });
  return success ? ErrorKind::kNone : ErrorKind::kStatus;
}

bool CountsAsFailure(ErrorKind error) { return error != ErrorKind::kNone && error != ErrorKind::kLocal; }

}  // namespace hookd
