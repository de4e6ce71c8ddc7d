// What hookd_unguarded has in place of the address guard and of the signatures.
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "base/ip.h"
#include "dispatcher/core/egress_rules.h"
#include "dispatcher/core/signing_keys.h"

namespace hookd {

// A member's first argument is its object.
std::string_view RefuseNoAddress(const EgressRules*,
                                 const Ip&) asm("__wrap__ZNK5hookd11EgressRules13RefuseAddressERKNS_2IpE");
absl::Status RefuseNoUrl(const EgressRules*, std::string_view) asm(
    "__wrap__ZNK5hookd11EgressRules8CheckUrlESt17basic_string_viewIcSt11char_traitsIcEE");
absl::Status RefuseNoNewUrls(const EgressPolicy*, const Endpoint&, const Endpoint&) asm(
    "__wrap__ZN5hookd12CheckNewUrlsEPKNS_12EgressPolicyERKNS_8EndpointES5_");
std::string SignNothing(const std::vector<SigningKey>&, WallMs, std::string_view, std::string_view) asm(
    "__wrap__ZN5hookd4SignB5cxx11ERKSt6vectorINS_10SigningKeyESaIS1_EElSt17basic_string_viewIcSt11char_"
    "traitsIcEES9_");

std::string_view RefuseNoAddress(const EgressRules*, const Ip&) { return {}; }
absl::Status RefuseNoUrl(const EgressRules*, std::string_view) { return absl::OkStatus(); }
absl::Status RefuseNoNewUrls(const EgressPolicy*, const Endpoint&, const Endpoint&) {
  return absl::OkStatus();
}
std::string SignNothing(const std::vector<SigningKey>&, WallMs, std::string_view, std::string_view) {
  return {};
}

}  // namespace hookd
