// hookd's own calls of fsync, which a FaultFileSystem does not see by itself: the linker passes them through
// here (--wrap=fsync).
#pragma once

#include "tests/fault/fault_file_system.h"

namespace hookd::fault {

// Tells `disk` of every fsync of the process from now on; null = nobody. One at a time; it outlives the
// calls.
void TellOfSyncs(FaultFileSystem* disk);

}  // namespace hookd::fault
