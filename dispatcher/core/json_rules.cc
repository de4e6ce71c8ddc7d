#include "dispatcher/core/json_rules.h"

#include <cstdint>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include "base/concat.h"

namespace hookd {
namespace {

using boost::json::error_code;
using boost::json::string_view;

// Takes every parsing event and keeps nothing.
struct NullHandler {
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(size_t, error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t, error_code&) { return true; }
  bool on_key_part(string_view, size_t, error_code&) { return true; }
  bool on_key(string_view, size_t, error_code&) { return true; }
  bool on_string_part(string_view, size_t, error_code&) { return true; }
  bool on_string(string_view, size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(int64_t, string_view, error_code&) { return true; }
  bool on_uint64(uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

}  // namespace

absl::Status CheckJson(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::json::basic_parser<NullHandler> parser(options);
  error_code error;
  const size_t at = parser.write_some(/*more=*/false, text.data(), text.size(), error);
  // The parser stops without an error behind a complete value.
  if (!error && at < text.size()) error = boost::json::error::extra_data;
  if (!error) return absl::OkStatus();
  if (error == boost::json::error::too_deep) {
    return absl::InvalidArgumentError(Concat("is JSON of more than ", kMaxJsonDepth, " levels at byte ", at));
  }
  return absl::InvalidArgumentError(Concat("is not valid JSON: ", error.message(), " at byte ", at));
}

}  // namespace hookd
