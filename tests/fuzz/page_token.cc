// Page tokens: what was not made for the query is refused. The input: a query, a line end, a token or
// position.
#include "dispatcher/api/page_token.h"

#include <string>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  fuzz::Input input(data, size);
  const std::string query(input.Line());
  const std::string text(input.rest());

  const absl::StatusOr<std::string> position = ParsePageToken(query, text);
  if (position.ok()) {
    Must(*ParsePageToken(query, MakePageToken(query, *position)) == *position,
         "a position can be gone on from");
  } else {
    fuzz::MustRefuse(position.status(), 256);
  }

  const std::string token = MakePageToken(query, text);
  if (token.size() > kMaxPageTokenBytes || text.empty()) return 0;
  Must(*ParsePageToken(query, token) == text, "a token gives its position");
  Must(!ParsePageToken(query + "x", token).ok(), "a token is its query's");
  std::string changed = token;
  char& one = changed[(size * 7 + query.size()) % changed.size()];
  one = one == 'A' ? 'B' : 'A';
  const absl::StatusOr<std::string> other = ParsePageToken(query, changed);
  // The last character may hold bits that mean nothing.
  Must(!other.ok() || *other == text, "a token that was changed is refused");
  return 0;
}
