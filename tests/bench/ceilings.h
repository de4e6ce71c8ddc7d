// What the libraries under hookd reach by themselves, on this machine, in this run: the yardsticks.
#pragma once

#include <cstddef>
#include <string>

namespace hookd::bench {

struct Rate {
  double per_second = 0;
  double cpu_us_each = 0;  // of the measuring process; 0 = not measured
};

// POSTs of `body_bytes` with three signature headers to `url`, keep-alive, `in_flight` at once, one thread,
// one multi.
Rate CurlLoop(const std::string& url, size_t requests, size_t in_flight, size_t body_bytes);

// fsynced batches of `batch` messages: a value of `value_bytes` and an index key each.
Rate RocksDbLoop(const std::string& path, size_t messages, size_t batch, size_t value_bytes);

// User and system time of this process so far, in seconds.
double CpuSeconds();

}  // namespace hookd::bench
