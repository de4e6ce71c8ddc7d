// JSON Schema: no schema and no payload brings the validator down, or shows a value. The input: a schema, a
// line end, a payload.
#include "dispatcher/core/json_schema.h"

#include <memory>
#include <string>

#include <absl/strings/match.h>

#include "dispatcher/core/json_rules.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  fuzz::Input input(data, size);
  const absl::StatusOr<std::unique_ptr<const JsonSchema>> schema = JsonSchema::Compile(input.Line());
  if (!schema.ok()) fuzz::MustRefuse(schema.status(), 16 * 1024);  // of the operator's own file
  const std::string_view payload = input.rest();
  if (!schema.ok() || !CheckJson(payload).ok()) return 0;
  const absl::Status fits = (*schema)->Check(payload);
  if (!fits.ok()) {
    fuzz::MustRefuse(fits, 4 * 1024);
    fuzz::Must(!absl::StrContains(fits.message(), "hunter2hunter2"), "no value is shown");
  }
  fuzz::Must((*schema)->Check(payload) == fits, "the verdict stays");
  return 0;
}
