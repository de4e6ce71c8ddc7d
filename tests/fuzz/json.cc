// JSON: what CheckJson takes is UTF-8, and a value to a reader that keeps it. The input: a text.
#include <string>

#include <boost/json/parse.hpp>

#include "dispatcher/core/json_rules.h"
#include "dispatcher/core/text_rules.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Status checked = CheckJson(text);
  if (!checked.ok()) {
    fuzz::MustRefuse(checked, 256);
    return 0;
  }
  Must(IsUtf8(text), "a payload is UTF-8");
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  static_cast<void>(boost::json::parse(text, error, {}, options));
  Must(!error, "a payload is read as a value");
  return 0;
}
