// How results are shown: tables for people, JSON for programs.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

namespace hookd::cli {

// One JSON document, with the fields' names of the .proto, on standard output.
void PrintJson(const google::protobuf::Message& message);

// Columns as wide as their widest cell; no row at all prints the header alone.
void PrintTable(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

// "name   value" lines; a pair with an empty value is left out.
void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields);

// RFC 3339; "" when unset (the epoch).
std::string TimeText(const google::protobuf::Timestamp& time);
// "1.5s".
std::string DurationText(const google::protobuf::Duration& duration);
std::string YesNo(bool value);
// On one line and without control characters, at most `max` bytes.
std::string OneLine(const std::string& text, size_t max);

}  // namespace hookd::cli
