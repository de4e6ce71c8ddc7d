// Jobs in words, for people.
#pragma once

#include <string>

#include "base/clock.h"
#include "hookd/v1/job_service.pb.h"

namespace hookd::cli {

// "name   value" lines.
std::string JobText(const v1::Job& job);

// "[####....]  20 %  20,000 of 100,000, 3 left alone  1,000/s, 1m20s left"; `since_first` and `first_matched`
// are of the first look, for the pace.
std::string JobProgressText(const v1::Job& job, uint64_t first_matched, Duration since_first);

}  // namespace hookd::cli
