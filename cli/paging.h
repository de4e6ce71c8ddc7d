// Lists: page after page until there is enough.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cli/session.h"

namespace hookd::cli {

inline constexpr int32_t kPageSize = 1000;

// Calls `list(context, request, &page)` until `limit` items (0 = all) are in `all`, by way of `append(page)`,
// which returns how many it took. False when a call failed; `session` has said so.
template <typename Request, typename Page, typename List, typename Append>
bool ReadPages(Session& session, Request request, int64_t limit, List list, Append append) {
  int64_t taken = 0;
  for (;;) {
    const int64_t left = limit == 0 ? kPageSize : limit - taken;
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(left, kPageSize)));
    grpc::ClientContext context;
    session.Prepare(context);
    Page page;
    if (!session.Check(list(&context, request, &page))) return false;
    taken += append(page);
    if (page.next_page_token().empty() || (limit != 0 && taken >= limit)) return true;
    request.set_page_token(page.next_page_token());
  }
}

}  // namespace hookd::cli
