#include "cli/time_range.h"

#include <google/protobuf/util/time_util.h>

#include "base/concat.h"
#include "cli/parse.h"

namespace hookd::cli {

void AddFrom(CLI::App& command, TimeRange& range, const std::string& what) {
  command.add_option("--from,--since", range.from, what + " then or later: RFC 3339, or 2h ago as 2h");
}

void AddBefore(CLI::App& command, TimeRange& range, const std::string& what) {
  command.add_option("--before,--until", range.before, what + " earlier: RFC 3339, or 2h ago as 2h");
}

bool ReadPast(Session& session, const char* option, const std::string& text,
              google::protobuf::Timestamp& time) {
  const auto past = ParsePast(text, google::protobuf::util::TimeUtil::GetCurrentTime());
  if (past) {
    time = *past;
    return true;
  }
  session.UsageError(Concat(option, " is such as 2030-01-31T12:00:00Z, or 2h for two hours ago"));
  return false;
}

}  // namespace hookd::cli
