// How results are shown: tables for people, JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

namespace hookd::cli {

using Row = std::vector<std::string>;
using Fields = std::vector<std::pair<std::string, std::string>>;

// The message in its JSON form, with the fields' names of the .proto; "" when it has none.
std::string JsonText(const google::protobuf::Message& message, bool on_one_line);
// One JSON document on standard output.
void PrintJson(const google::protobuf::Message& message);
// One line of a stream of documents, at once. False: the output is lost.
bool PrintJsonLine(const google::protobuf::Message& message);

// Columns as wide as their widest cell; no row at all gives the header alone.
std::string TableText(const Row& header, const std::vector<Row>& rows);
void PrintTable(const Row& header, const std::vector<Row>& rows);

// "name   value" lines; a pair with an empty value is left out.
std::string FieldsText(const Fields& fields);
void PrintFields(const Fields& fields);

// RFC 3339; "" when unset (the epoch).
std::string TimeText(const google::protobuf::Timestamp& time);
// "1.5s".
std::string DurationText(const google::protobuf::Duration& duration);
// For people: "350us", "1.2ms", "12.5s", "3m05s", "2h07m", "4d03h".
std::string ShortDuration(const google::protobuf::Duration& duration);
// "1,234,567".
std::string Grouped(uint64_t number);
std::string YesNo(bool value);
// Control characters are blanks: a terminal obeys none.
std::string Printable(std::string text);
// Printable, at most `max` bytes, and "..." when it was longer.
std::string OneLine(const std::string& text, size_t max);

}  // namespace hookd::cli
