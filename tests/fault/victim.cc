#include "tests/fault/victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/check.h"
#include "base/concat.h"
#include "tests/fault/life.h"

namespace hookd::fault {
namespace {

constexpr unsigned kMostSeconds = 60;

}  // namespace

Ending RunVictim(const std::vector<std::string>& arguments,
                 const std::function<void(const std::string&)>& heard) {
  const Scratch scratch;
  const std::string errors = scratch.path() + "/errors";
  int out[2];
  HOOKD_CHECK(pipe2(out, O_CLOEXEC) == 0, "a pipe");
  std::vector<std::string> words = {"/proc/self/exe", "--victim"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  HOOKD_CHECK(child >= 0, "a process");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = open(errors.c_str(), O_WRONLY | O_CREAT, 0600);
    if (getppid() != parent || dup2(out[1], STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) _exit(1);
    alarm(kMostSeconds);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  std::FILE* lines = fdopen(out[0], "r");
  char* line = nullptr;
  size_t capacity = 0;
  for (ssize_t size = 0; (size = getline(&line, &capacity, lines)) > 0;) {
    if (line[size - 1] == '\n') heard(std::string(line, static_cast<size_t>(size - 1)));
  }
  std::free(line);
  std::fclose(lines);
  int status = 0;
  waitpid(child, &status, 0);
  Ending ending;
  if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  std::ifstream file(errors);
  ending.errors.assign(std::istreambuf_iterator<char>(file), {});
  return ending;
}

void Say(const std::string& line) {
  const std::string whole = Concat(line, "\n");
  HOOKD_CHECK(write(STDOUT_FILENO, whole.data(), whole.size()) == static_cast<ssize_t>(whole.size()),
              "the test listens");
}

}  // namespace hookd::fault
