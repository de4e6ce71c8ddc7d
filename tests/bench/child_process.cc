#include "tests/bench/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/check.h"
#include "base/concat.h"

namespace hookd::bench {

ChildProcess::ChildProcess(std::vector<std::string> arguments) : path_(arguments.front()) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int out[2];
  HOOKD_CHECK(pipe2(out, O_CLOEXEC) == 0, "a pipe");
  const pid_t parent = getpid();
  pid_ = fork();
  HOOKD_CHECK(pid_ >= 0, "a child process");
  if (pid_ == 0) {  // a benchmark that ends early leaves nothing running
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(out[1], STDOUT_FILENO) < 0) _exit(1);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  char c = 0;
  while (read(out[0], &c, 1) == 1 && c != '\n') line_.push_back(c);
  close(out[0]);
  HOOKD_CHECK(!line_.empty(), Concat(path_, " starts").c_str());
}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  if (status != 0) std::fprintf(stderr, "%s ended with status %d\n", path_.c_str(), status);
}

std::string ChildProcess::Said(const std::string& key) const {
  const size_t start = line_.find(key);
  HOOKD_CHECK(start != std::string::npos, "it says where it listens");
  return line_.substr(start + key.size(), line_.find(' ', start) - start - key.size());
}

double ChildProcess::CpuSeconds() const {
  clockid_t clock{};
  timespec used{};
  HOOKD_CHECK(clock_getcpuclockid(pid_, &clock) == 0 && clock_gettime(clock, &used) == 0, "it runs");
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double ChildProcess::ResidentMebibytes() const {
  std::ifstream file(Concat("/proc/", pid_, "/statm"));
  double total = 0;
  double resident = 0;
  HOOKD_CHECK(file >> total >> resident, "it runs");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double ChildProcess::WrittenMebibytes() const {
  std::ifstream file(Concat("/proc/", pid_, "/io"));
  std::string name;
  double bytes = 0;
  while (file >> name >> bytes && name != "write_bytes:") {
  }
  HOOKD_CHECK(name == "write_bytes:", "it runs");
  return bytes / (1 << 20);
}

void ChildProcess::Kill() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace hookd::bench
