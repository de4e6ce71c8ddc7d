// JSON Schema (draft 7) of payloads. Compiled once; then immutable, any thread.
#pragma once

#include <memory>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace hookd {

// A payload above this is refused without the path of what does not fit: to find it costs memory for each
// value.
inline constexpr size_t kMaxLocatedPayloadBytes = 256 * 1024;

// Schemas that one value is held against because one leads to another: by references, allOf, not and the
// like.
inline constexpr size_t kMaxSchemaSteps = 32;
// And of all of them, as often as they are asked.
inline constexpr size_t kMaxSchemasOfValue = 1'000;

class JsonSchema {
 public:
  // `format` is an annotation and is not asked for. INVALID_ARGUMENT: not JSON, no schema, a reference out of
  // it, back to itself or to what is no schema, or a keyword that a payload could make expensive: pattern,
  // patternProperties, uniqueItems.
  static absl::StatusOr<std::unique_ptr<const JsonSchema>> Compile(std::string_view text);
  ~JsonSchema();

  // `payload` has passed CheckJson. INVALID_ARGUMENT "at /data/ack: ..." says where (a JSON pointer) and why,
  // and holds nothing of the payload but names of members.
  absl::Status Check(std::string_view payload) const;

 private:
  class Impl;
  explicit JsonSchema(std::unique_ptr<const Impl> impl);
  const std::unique_ptr<const Impl> impl_;
};

}  // namespace hookd
