#include "tests/fault/outside_syncs.h"

#include <unistd.h>

#include <climits>
#include <string>

#include <absl/synchronization/mutex.h>

#include "base/concat.h"

namespace hookd::fault {
namespace {

absl::Mutex& TheMutex() {
  static absl::Mutex mutex;
  return mutex;
}
FaultFileSystem* told = nullptr;

}  // namespace

void TellOfSyncs(FaultFileSystem* disk) {
  absl::MutexLock lock(&TheMutex());
  told = disk;
}

// As far as the disk that is told goes; false: none is.
bool Synced(int fd) {
  char path[PATH_MAX];
  const ssize_t size = readlink(Concat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  absl::MutexLock lock(&TheMutex());
  if (size <= 0 || told == nullptr) return false;
  told->SyncedOutside(std::string(path, static_cast<size_t>(size)));
  return true;
}

}  // namespace hookd::fault

extern "C" {
int __real_fsync(int fd);   // NOLINT: the linker's name
int __wrap_fsync(int fd);   // NOLINT: likewise
int __wrap_fsync(int fd) {  // NOLINT: likewise
  return hookd::fault::Synced(fd) ? 0 : __real_fsync(fd);
}
}
