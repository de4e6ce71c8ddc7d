// --from and --before, of commands that take a range of times.
#pragma once

#include <string>

#include <CLI/CLI.hpp>
#include <google/protobuf/timestamp.pb.h>

#include "cli/session.h"

namespace hookd::cli {

struct TimeRange {
  std::string from;
  std::string before;
};

// `what` happened then, such as "made".
void AddFrom(CLI::App& command, TimeRange& range, const std::string& what);
void AddBefore(CLI::App& command, TimeRange& range, const std::string& what);

// The time that `text` says; an hour ago is "1h". False: it says none, and `session` has said so.
bool ReadPast(Session& session, const char* option, const std::string& text,
              google::protobuf::Timestamp& time);

// Sets what is given; `from()` and `before()` give the fields to set. False as ReadPast.
template <typename From, typename Before>
bool ReadRange(Session& session, const TimeRange& range, From from, Before before) {
  return (range.from.empty() || ReadPast(session, "--from", range.from, *from())) &&
         (range.before.empty() || ReadPast(session, "--before", range.before, *before()));
}

}  // namespace hookd::cli
