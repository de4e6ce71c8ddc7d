// Whether a person looks on.
#pragma once

#include <cstddef>

namespace hookd::cli {

bool InputIsTerminal();
bool OutputIsTerminal();
bool ErrorIsTerminal();

struct TerminalSize {
  size_t rows = 24;
  size_t columns = 80;
};

// Of standard output's terminal; the usual one when there is none.
TerminalSize SizeOfTerminal();

}  // namespace hookd::cli
