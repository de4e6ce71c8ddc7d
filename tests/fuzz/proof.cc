// What receivers answer when they are asked whose endpoint it is. The input: status, and two lines of what
// came back; the rest is the body.
#include <string>

#include <absl/strings/match.h>

#include "dispatcher/core/ownership.h"
#include "dispatcher/core/text_rules.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

void CheckAccount(const Proof& proof) {
  fuzz::Must(proof.expected.empty() == proof.proven, "what is not proven says what was expected");
  fuzz::Must(proof.received.size() <= 4 * kShownProofBytes + 256, "what came is shown in short");
  fuzz::Must(IsUtf8(proof.received), "and as text");
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  fuzz::Input input(data, size);
  const int status = 100 + input.Byte() * 2;
  const std::string_view origin = input.Line();
  const std::string_view rate = input.Line();
  const std::string_view body = input.rest();
  const std::string key(32, 'k');

  const Proof hub = JudgeHub("0123456789abcdef", status, body);
  CheckAccount(hub);
  fuzz::Must(
      !hub.proven || absl::StrContains(absl::string_view(body.data(), body.size()), "0123456789abcdef"),
      "only the challenge is a proof");
  const Proof hmac = JudgeHmac({key}, "0123456789abcdef", status, body);
  CheckAccount(hmac);
  RateLimit limit;
  limit.per_second = 10;
  const Proof events = JudgeCloudEvents("hooks.example", limit, status, origin, rate);
  CheckAccount(events);
  fuzz::Must(!events.allowed_per_second || *events.allowed_per_second < 10, "a rate is only lowered");
  return 0;
}
