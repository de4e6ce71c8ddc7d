// Tokens of paged lists: a position and a fingerprint of it and of the query that it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

namespace hookd {

inline constexpr size_t kDefaultPageSize = 100;
inline constexpr size_t kMaxPageSize = 1000;
// Where items may be large, a page ends early: gRPC clients receive 4 MiB by default.
inline constexpr size_t kMaxPageBytes = 2 * 1024 * 1024;
inline constexpr size_t kMaxPageTokenBytes = 2048;

// `query` names the list and every filter that the position depends on. An empty position gives an empty
// token. A token stays valid across restarts. It is not secret and not signed: whoever takes a position apart
// still checks it.
std::string MakePageToken(absl::string_view query, absl::string_view position);

// The position of `token`; empty for an empty token.
// INVALID_ARGUMENT for a token that was made up, damaged, or made for another query.
absl::StatusOr<std::string> ParsePageToken(absl::string_view query, absl::string_view token);

// 0 = kDefaultPageSize. INVALID_ARGUMENT unless 0 to kMaxPageSize.
absl::StatusOr<size_t> CheckPageSize(int32_t page_size);

}  // namespace hookd
