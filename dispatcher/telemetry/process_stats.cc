#include "dispatcher/telemetry/process_stats.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

namespace hookd {
namespace {

constexpr const char* kDescriptors = "/proc/self/fd";

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

uint64_t OpenDescriptors() {
  struct stat folder {};
  // Since Linux 6.2 its size is their number.
  if (stat(kDescriptors, &folder) == 0 && folder.st_size > 0) return static_cast<uint64_t>(folder.st_size);
  uint64_t count = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry(kDescriptors, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // without the one that reads the folder
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_descriptors = limit.rlim_cur;
  stats.open_descriptors = OpenDescriptors();

  std::ifstream memory("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident_pages = 0;
  if (memory >> pages >> resident_pages) {
    const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    stats.virtual_bytes = pages * page_bytes;
    stats.resident_bytes = resident_pages * page_bytes;
  }
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    if (key == "Threads:") {
      status >> stats.threads;
      break;
    }
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return stats;
}

}  // namespace hookd
