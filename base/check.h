// CHECK: a programmer's error ends the process with the place and the reason. Never for bad input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define HOOKD_CHECK(condition, why)                                                                    \
  do {                                                                                                 \
    if (!(condition)) [[unlikely]] {                                                                   \
      std::fprintf(stderr, "CHECK failed at %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, (why)); \
      std::abort();                                                                                    \
    }                                                                                                  \
  } while (false)
