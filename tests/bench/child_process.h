// A program of the benchmark's own, measured from outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace hookd::bench {

// Used by the main thread alone: the child dies with the thread that started it.
class ChildProcess {
 public:
  // `arguments`: the program's path, then what it gets. Returns once it has written a line.
  explicit ChildProcess(std::vector<std::string> arguments);
  ~ChildProcess();  // SIGTERM, and waits
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The rest of that line's word that begins with `key`, such as "grpc=".
  std::string Said(const std::string& key) const;
  // User and system time so far, of all threads.
  double CpuSeconds() const;
  double ResidentMebibytes() const;
  // To disks, so far.
  double WrittenMebibytes() const;
  // SIGKILL, and waits. Only the destructor follows.
  void Kill();

 private:
  std::string path_;
  std::string line_;
  pid_t pid_ = 0;
};

}  // namespace hookd::bench
