// What the kernel says of this process.
#pragma once

#include <cstdint>

namespace hookd {

struct ProcessStats {
  double cpu_seconds = 0;  // user and system
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_descriptors = 0;
  uint64_t max_descriptors = 0;
  uint64_t threads = 0;
};

// What cannot be read is 0. Any thread.
ProcessStats ReadProcessStats();

}  // namespace hookd
