#include "dispatcher/core/json_schema.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_replace.h>
#include <boost/json.hpp>
#define VALIJSON_USE_EXCEPTIONS 1  // otherwise it ends the process
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/json_rules.h"

namespace hookd {
namespace {

using boost::json::value;
using valijson::adapters::BoostJsonAdapter;

constexpr size_t kMaxShownPath = 256;

absl::StatusOr<value> Parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::json::error_code error;
  value parsed = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return absl::InvalidArgumentError(Concat("is not valid JSON: ", error.message()));
  return parsed;
}

// What stands where a schema may: one, or an array of them; a table of them, whose members' names say
// nothing; or a value.
enum class Place : uint8_t { kSchema, kTable, kData };

Place PlaceOf(std::string_view keyword) {
  for (const char* data : {"const", "enum", "default", "examples"}) {
    if (keyword == data) return Place::kData;
  }
  for (const char* table : {"properties", "definitions", "dependencies", "patternProperties", "$defs"}) {
    if (keyword == table) return Place::kTable;
  }
  return Place::kSchema;
}

std::string_view Text(boost::json::string_view text) { return {text.data(), text.size()}; }

// Refuses what could be expensive, and takes out `format`, which the library would enforce by expressions
// that need stack for each character.
absl::Status Prepare(value& node, Place place) {
  if (auto* array = node.if_array()) {
    for (value& item : *array) RETURN_IF_ERROR(Prepare(item, place));
    return absl::OkStatus();
  }
  auto* object = node.if_object();
  if (object == nullptr) return absl::OkStatus();
  if (place == Place::kSchema) {
    for (const char* keyword : {"pattern", "patternProperties", "uniqueItems"}) {
      if (object->contains(keyword)) {
        return absl::InvalidArgumentError(
            Concat("uses ", keyword, ", which a payload could make expensive: leave it out"));
      }
    }
    // The library divides by it; by an integer it takes of a payload's number what fits into 64 bits.
    if (value* multiple = object->if_contains("multipleOf"); multiple != nullptr) {
      const double divisor = multiple->is_number() ? multiple->to_number<double>() : 0;
      if (!(divisor > 0)) {
        return absl::InvalidArgumentError("has a multipleOf that is not above 0: use a positive number");
      }
      *multiple = divisor;
    }
    object->erase("format");
  }
  for (auto& [key, member] : *object) {
    const Place below = place == Place::kTable ? Place::kSchema : PlaceOf(Text(key));
    if (below != Place::kData) RETURN_IF_ERROR(Prepare(member, below));
  }
  return absl::OkStatus();
}

// The library follows references until it finds something else, at the same value of a payload too. So
// nothing may lead back to itself without a step into the payload, nor to too many.
class ReferenceCheck {
 public:
  explicit ReferenceCheck(const value& root) : root_(root) {}

  absl::Status Check(const value& node, Place place = Place::kSchema) {
    if (const auto* array = node.if_array()) {
      for (const value& item : *array) RETURN_IF_ERROR(Check(item, place));
    }
    const auto* object = node.if_object();
    if (object == nullptr) return absl::OkStatus();
    if (place == Place::kSchema) RETURN_IF_ERROR(Measure(node, 0).status());
    for (const auto& [key, member] : *object) {
      const Place below = place == Place::kTable ? Place::kSchema : PlaceOf(Text(key));
      if (below != Place::kData) RETURN_IF_ERROR(Check(member, below));
    }
    return absl::OkStatus();
  }

 private:
  // Schemas that are asked of the same value as one of them, which counts too.
  struct Extent {
    size_t height = 0;  // of them, one within the other
    size_t all = 0;     // as often as they are asked
  };

  static absl::Status TooMany() {
    return absl::InvalidArgumentError(Concat("has a reference that leads back to itself, or more than ",
                                             kMaxSchemaSteps, " schemas within one another, or ",
                                             kMaxSchemasOfValue, " in all, for one value"));
  }

  absl::StatusOr<Extent> Measure(const value& node, size_t above) {
    const auto* schema = node.if_object();
    if (schema == nullptr) return Extent{};
    if (const auto known = extents_.find(&node); known != extents_.end()) {
      if (above + known->second.height > kMaxSchemaSteps) return TooMany();
      return known->second;
    }
    if (above == kMaxSchemaSteps) return TooMany();
    Extent extent{1, 1};
    for (const auto& [key, member] : *schema) {
      const std::string_view keyword = Text(key);
      if (keyword == "$ref" && member.is_string()) {
        ASSIGN_OR_RETURN(const value* target, Find(Text(member.get_string())));
        RETURN_IF_ERROR(Add(*target, above, extent));
      } else if (keyword == "not" || keyword == "if" || keyword == "then" || keyword == "else") {
        RETURN_IF_ERROR(Add(member, above, extent));
      } else if (keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf") {
        if (!member.is_array()) continue;
        for (const value& each : member.get_array()) RETURN_IF_ERROR(Add(each, above, extent));
      } else if (keyword == "dependencies" && member.is_object()) {
        for (const auto& each : member.get_object()) RETURN_IF_ERROR(Add(each.value(), above, extent));
      }
    }
    extents_.emplace(&node, extent);
    return extent;
  }

  absl::Status Add(const value& node, size_t above, Extent& extent) {
    ASSIGN_OR_RETURN(const Extent below, Measure(node, above + 1));
    extent.height = std::max(extent.height, below.height + 1);
    extent.all += below.all;
    return extent.all > kMaxSchemasOfValue ? TooMany() : absl::OkStatus();
  }

  // As the library finds it, but for references that could be read in two ways. Where no schema stands, its
  // keywords were not looked at.
  absl::StatusOr<const value*> Find(std::string_view reference) const {
    if (!reference.starts_with('#') || reference.find('%') != std::string_view::npos) {
      return absl::InvalidArgumentError(
          "has a reference out of it: write \"#/definitions/NAME\", without percent signs");
    }
    reference.remove_prefix(1);
    while (reference.ends_with('/')) reference.remove_suffix(1);  // as the library does
    const value* target = &root_;
    Place place = Place::kSchema;
    while (!reference.empty()) {
      if (!reference.starts_with('/')) return LeadsNowhere();
      reference.remove_prefix(1);
      const std::string_view step = reference.substr(0, reference.find('/'));
      reference.remove_prefix(step.size());
      const std::string name =
          absl::StrReplaceAll(absl::StrReplaceAll(std::string(step), {{"~1", "/"}}), {{"~0", "~"}});
      if (const auto* array = target->if_array()) {
        size_t index = 0;
        if (!absl::SimpleAtoi(name, &index) || Concat(index) != name || index >= array->size()) {
          return LeadsNowhere();
        }
        target = &(*array)[index];
        continue;
      }
      const auto* object = target->if_object();
      target = object == nullptr || name.empty() ? nullptr : object->if_contains(name);
      if (target == nullptr) return LeadsNowhere();
      place = place == Place::kTable ? Place::kSchema : PlaceOf(name);
      if (place == Place::kData) return NoSchema();
    }
    if (place != Place::kSchema || target->is_array()) return NoSchema();
    return target;
  }

  static absl::Status LeadsNowhere() {
    return absl::InvalidArgumentError("has a reference that leads nowhere");
  }
  static absl::Status NoSchema() {
    return absl::InvalidArgumentError(
        "has a reference to what is no schema: lead it to one, as in \"#/definitions/NAME\"");
  }

  const value& root_;
  absl::flat_hash_map<const value*, Extent> extents_;
};

// The library's path: "<root>", "[data]", "[0]".
std::string Pointer(const std::vector<std::string>& context) {
  std::string pointer;
  for (size_t i = 1; i < context.size(); ++i) {
    std::string_view step = context[i];
    if (step.size() >= 2 && step.front() == '[' && step.back() == ']') step = step.substr(1, step.size() - 2);
    pointer += '/';
    for (const char c : step) {
      if (c == '~') {
        pointer += "~0";
      } else if (c == '/') {
        pointer += "~1";
      } else {
        pointer += c;
      }
    }
  }
  if (pointer.size() > kMaxShownPath) pointer = pointer.substr(0, kMaxShownPath) + "...";
  return pointer.empty() ? "the payload itself" : absl::Utf8SafeCEscape(pointer);
}

}  // namespace

class JsonSchema::Impl {
 public:
  valijson::Schema schema;
};

JsonSchema::JsonSchema(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
JsonSchema::~JsonSchema() = default;

absl::StatusOr<std::unique_ptr<const JsonSchema>> JsonSchema::Compile(std::string_view text) {
  ASSIGN_OR_RETURN(value document, Parse(text));
  if (!document.is_object()) return absl::InvalidArgumentError("is no JSON Schema: write an object");
  RETURN_IF_ERROR(Prepare(document, Place::kSchema));
  RETURN_IF_ERROR(ReferenceCheck(document).Check(document));
  auto impl = std::make_unique<Impl>();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(BoostJsonAdapter(document), impl->schema);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(Concat("is no JSON Schema of draft 7: ", error.what()));
  }
  return std::unique_ptr<const JsonSchema>(new JsonSchema(std::move(impl)));
}

absl::Status JsonSchema::Check(std::string_view payload) const {
  ASSIGN_OR_RETURN(const value document, Parse(payload));
  const BoostJsonAdapter target(document);
  valijson::Validator validator;  // it keeps what it has compiled: one for each call, as calls share nothing
  try {
    if (validator.validate(impl_->schema, target, nullptr)) return absl::OkStatus();
    if (payload.size() > kMaxLocatedPayloadBytes) {
      return absl::InvalidArgumentError(Concat("somewhere in its ", payload.size(), " bytes"));
    }
    valijson::ValidationResults results;
    validator.validate(impl_->schema, target, &results);
    // The deepest is the cause; what is above it fails because of it.
    const auto cause = std::max_element(results.begin(), results.end(), [](const auto& a, const auto& b) {
      return a.context.size() < b.context.size();
    });
    if (cause == results.end()) return absl::InvalidArgumentError("somewhere");
    return absl::InvalidArgumentError(Concat("at ", Pointer(cause->context), ": ", cause->description));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(Concat("cannot be held against it: ", error.what()));
  }
}

}  // namespace hookd
