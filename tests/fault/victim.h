// A process of its own that lives on a folder, as it may be ended by what happens to its disk: the test's
// binary, run again with --victim.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hookd::fault {

// As Application ends when its store has failed.
inline constexpr int kExitFatal = 70;
// The folder was refused.
inline constexpr int kExitRefused = 3;

struct Ending {
  int exit_code = -1;  // -1 = a signal ended it
  int signal = 0;
  std::string errors;  // what it wrote to standard error
};

// Runs it with these arguments; every line that it writes to standard output goes to `heard`. One that does
// not end by itself within a minute ends with SIGALRM.
Ending RunVictim(const std::vector<std::string>& arguments,
                 const std::function<void(const std::string&)>& heard);

// The victim's side: a line that the test hears.
void Say(const std::string& line);

}  // namespace hookd::fault
