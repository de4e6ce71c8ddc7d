// What hookd_unguarded has in place of the address guard and of the signatures.
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "base/ip.h"
#include "dispatcher/core/egress_rules.h"

namespace hookd {

// A member's first argument is its object.
std::string_view RefuseNoAddress(const EgressRules*,
                                 const Ip&) asm("__wrap__ZNK5hookd11EgressRules13RefuseAddressERKNS_2IpE");
absl::Status RefuseNoUrl(const EgressRules*, std::string_view) asm(
    "__wrap__ZNK5hookd11EgressRules8CheckUrlESt17basic_string_viewIcSt11char_traitsIcEE");
std::string SignNothing(std::string_view, std::string_view, int64_t, std::string_view) asm(
    "__wrap__ZN5hookd6SignV1ESt17basic_string_viewIcSt11char_traitsIcEES3_lS3_");

std::string_view RefuseNoAddress(const EgressRules*, const Ip&) { return {}; }
absl::Status RefuseNoUrl(const EgressRules*, std::string_view) { return absl::OkStatus(); }
std::string SignNothing(std::string_view, std::string_view, int64_t, std::string_view) { return {}; }

}  // namespace hookd
