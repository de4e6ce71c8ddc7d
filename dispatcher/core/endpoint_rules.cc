#include "dispatcher/core/endpoint_rules.h"

#include <string>

#include <absl/strings/match.h>

#include "base/status_macros.h"
#include "dispatcher/core/authorization.h"
#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/header_rules.h"
#include "dispatcher/core/policy_rules.h"
#include "dispatcher/core/signing_keys.h"
#include "dispatcher/core/text_rules.h"
#include "dispatcher/core/tls_rules.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {

absl::Status CheckEndpoint(const Endpoint& endpoint) {
  RETURN_IF_ERROR(CheckSubscriberId("subscriber_id", endpoint.subscriber_id));
  RETURN_IF_ERROR(CheckText("description", endpoint.description, kMaxDescriptionBytes));
  RETURN_IF_ERROR(ParseUrl(endpoint.url).status());
  if (endpoint.tls != nullptr) {
    RETURN_IF_ERROR(CheckTls(*endpoint.tls));
    if (!absl::StartsWithIgnoreCase(endpoint.url, "https:")) {
      return absl::InvalidArgumentError("tls: is for https, and the url is not: change one of them");
    }
  }
  RETURN_IF_ERROR(CheckFilters(endpoint.event_types, endpoint.channels));
  RETURN_IF_ERROR(CheckHeaders(endpoint.headers));
  RETURN_IF_ERROR(CheckAuthorization(endpoint));
  RETURN_IF_ERROR(CheckPolicy(endpoint.policy));
  return CheckSigningKeys(endpoint.signing_keys);
}

absl::Status CheckStateNote(std::string_view note) { return CheckText("reason", note, kMaxStateNote); }

}  // namespace hookd
