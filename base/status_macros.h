// Early return over absl::Status. (Debian's Abseil does not have its own macros yet.)
#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#define HOOKD_CONCAT_INNER(a, b) a##b
#define HOOKD_CONCAT(a, b) HOOKD_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                     \
  do {                                                            \
    if (absl::Status hookd_status = (expr); !hookd_status.ok()) { \
      return hookd_status;                                        \
    }                                                             \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) HOOKD_ASSIGN_OR_RETURN(HOOKD_CONCAT(hookd_statusor_, __LINE__), lhs, expr)
#define HOOKD_ASSIGN_OR_RETURN(tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) return tmp.status();          \
  lhs = std::move(tmp).value()
