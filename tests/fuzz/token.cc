// What token servers answer: a token that fits a header, or a few words in which the server has no say. The
// input: a status, 1 byte; whether the body was cut, 1 bit of the next; the rest is the body.
#include <algorithm>
#include <string>

#include "dispatcher/core/authorization.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  fuzz::Input input(data, size);
  const uint8_t byte = input.Byte();
  const int status = byte % 2 == 0 ? 200 : 100 + byte * 2;
  const bool truncated = input.Byte() % 2 != 0;
  const absl::StatusOr<AccessGrant> grant = ReadTokenAnswer(status, input.rest(), truncated);
  if (!grant.ok()) {
    const std::string why(grant.status().message());
    Must(why.starts_with("the token server answered ") && why.size() <= 160, "a refusal is short");
    // Its own words may be in the body as well; quotes, braces and the like are in none of them.
    Must(why.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,()_") ==
             std::string::npos,
         "and says nothing of the body");
    return 0;
  }
  Must(status == 200 && !truncated, "only a whole answer with 200 grants");
  Must(!grant->token.empty() && grant->token.size() <= kMaxAccessTokenBytes, "a token has its size");
  Must(std::all_of(grant->token.begin(), grant->token.end(), [](char c) { return c > 0x20 && c < 0x7f; }),
       "and is visible ASCII");
  Must(grant->lifetime > Millis(0) && grant->lifetime <= kMaxTokenLifetime, "it lasts a while");
  Must(RenewAfter(grant->lifetime) > Millis(0) && RenewAfter(grant->lifetime) <= grant->lifetime,
       "and is renewed before it ends");
  return 0;
}
