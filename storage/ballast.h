// A file that keeps room on the disk, to be given up when the database needs it to open: replaying its log
// writes tables, and on a full disk this version ends the process instead of failing.
#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>

namespace hookd {

// Makes the file `path` of `bytes`, really allocated, if twice as much is free; if not, nothing is made. 0
// removes it.
absl::Status KeepBallast(const std::string& path, uint64_t bytes);

// Gives the room back. False = there was none.
bool FreeBallast(const std::string& path);

}  // namespace hookd
