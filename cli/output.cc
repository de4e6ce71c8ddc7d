#include "cli/output.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include "base/concat.h"

namespace hookd::cli {
namespace {

using google::protobuf::util::TimeUtil;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// In characters, not bytes.
size_t WidthOf(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string TwoDigits(int64_t number) { return Concat(number < 10 ? "0" : "", number); }

// `value` in units of 10^-`digits`, with one decimal below 100.
std::string Decimal(int64_t tenths, const char* unit) {
  if (tenths >= 1000 || tenths % 10 == 0) return Concat(tenths / 10, unit);
  return Concat(tenths / 10, ".", tenths % 10, unit);
}

}  // namespace

std::string JsonText(const google::protobuf::Message& message, bool on_one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !on_one_line;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    std::cerr << "hookctl: the answer cannot be shown as JSON\n";
    return "";
  }
  return json;
}

void PrintJson(const google::protobuf::Message& message) { std::cout << JsonText(message, false); }

bool PrintJsonLine(const google::protobuf::Message& message) {
  std::cout << JsonText(message, true) << "\n" << std::flush;
  return std::cout.good();
}

std::string TableText(const Row& header, const std::vector<Row>& rows) {
  std::vector<Row> all = {header};
  all.insert(all.end(), rows.begin(), rows.end());
  std::vector<size_t> widths(header.size(), 0);
  for (Row& row : all) {
    row.resize(header.size());
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Printable(std::move(row[i]));
      widths[i] = std::max(widths[i], WidthOf(row[i]));
    }
  }
  std::string text;
  for (const Row& row : all) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - WidthOf(row[i]) + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

void PrintTable(const Row& header, const std::vector<Row>& rows) { std::cout << TableText(header, rows); }

std::string FieldsText(const Fields& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) text += name + std::string(width - name.size() + 2, ' ') + Printable(value) + "\n";
  }
  return text;
}

void PrintFields(const Fields& fields) { std::cout << FieldsText(fields); }

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return TimeUtil::ToString(time);
}

std::string DurationText(const google::protobuf::Duration& duration) { return TimeUtil::ToString(duration); }

std::string ShortDuration(const google::protobuf::Duration& duration) {
  const int64_t seconds = duration.seconds();
  const int64_t micros = duration.nanos() / 1000;
  if (seconds < 0 || micros < 0) return "-" + ShortDuration(-duration);
  if (seconds == 0 && micros < 1000) return Concat(micros, "us");
  if (seconds == 0) return Decimal(micros / 100, "ms");
  if (seconds < 60) return Decimal(seconds * 10 + micros / 100'000, "s");
  if (seconds < 3600) return Concat(seconds / 60, "m", TwoDigits(seconds % 60), "s");
  if (seconds < 86'400) return Concat(seconds / 3600, "h", TwoDigits(seconds / 60 % 60), "m");
  return Concat(seconds / 86'400, "d", TwoDigits(seconds / 3600 % 24), "h");
}

std::string Grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string YesNo(bool value) { return value ? "yes" : "no"; }

std::string Printable(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) text[i] = ' ';
    // U+0080 to U+009F, some of which begin a terminal's commands too.
    const bool high = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (high) text[i] = text[i + 1] = ' ';
  }
  return text;
}

std::string OneLine(const std::string& text, size_t max) {
  if (text.size() <= max) return Printable(text);
  size_t end = max;
  while (end > 0 && IsContinuation(text[end])) --end;
  return Printable(text.substr(0, end)) + "...";
}

}  // namespace hookd::cli
