// URLs: our reading is libcurl's, nothing of a refused one is told, and a query's values are masked.
#include <algorithm>
#include <optional>
#include <string>

#include <absl/strings/ascii.h>

#include "base/ip.h"
#include "base/url_query.h"
#include "dispatcher/core/egress_rules.h"
#include "dispatcher/core/url_rules.h"
#include "dispatcher/transport/target.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

void CheckReading(const std::string& url, const ParsedUrl& ours) {
  const std::optional<Target> libcurls = ParseTarget(url);
  Must(libcurls.has_value(), "libcurl reads what the rules take");
  Must(libcurls->https == (ours.scheme == "https"), "libcurl reads the same scheme");
  Must(libcurls->port == ours.port, "libcurl reads the same port");
  const std::optional<Ip> ip = ParseIp(ours.host);
  Must(ip.has_value() == ours.host_is_ip, "a literal is an address");
  Must((libcurls->literal != nullptr) == ours.host_is_ip, "libcurl takes the same for a literal");
  Must(ip ? ParseIp(libcurls->host) == ip : absl::AsciiStrToLower(libcurls->host) == ours.host,
       "libcurl reads the same host");
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string url(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<ParsedUrl> parsed = ParseUrl(url);
  if (parsed.ok()) {
    CheckReading(url, *parsed);
  } else {
    fuzz::MustRefuse(parsed.status(), 256);
    fuzz::Must(!EgressRules().CheckUrl(url).ok(), "what the grammar refuses is refused");
  }
  const std::string masked = MaskQuery(url);
  fuzz::Must(MaskQuery(masked) == masked, "what is masked stays as it is");
  fuzz::Must(masked.size() <= size + 3 * (1 + static_cast<size_t>(std::count(url.begin(), url.end(), '&'))),
             "masking adds three characters per value at most");
  fuzz::Must(masked.substr(0, masked.find('?')) == url.substr(0, url.find('?')), "the path is shown");
  fuzz::Must(masked == url || HoldsMasked(masked), "a mask is recognised");
  return 0;
}
