#include "dispatcher/core/json_schema.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/escaping.h>
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

// Keywords that hold values, not schemas.
bool IsData(std::string_view key) {
  return key == "const" || key == "enum" || key == "default" || key == "examples";
}

// Refuses what could be expensive, and takes out `format`, which the library would enforce by expressions
// that need stack for each character. A keyword is told from a property of its name by the type of its value.
absl::Status Prepare(value& schema) {
  if (auto* array = schema.if_array()) {
    for (value& item : *array) RETURN_IF_ERROR(Prepare(item));
    return absl::OkStatus();
  }
  auto* object = schema.if_object();
  if (object == nullptr) return absl::OkStatus();
  const auto refuse = [](std::string_view keyword) {
    return absl::InvalidArgumentError(
        Concat("uses ", keyword, ", which a payload could make expensive: leave it out"));
  };
  if (const value* pattern = object->if_contains("pattern"); pattern != nullptr && pattern->is_string()) {
    return refuse("pattern");
  }
  if (object->contains("patternProperties")) return refuse("patternProperties");
  if (const value* unique = object->if_contains("uniqueItems"); unique != nullptr && unique->is_bool()) {
    return refuse("uniqueItems");
  }
  if (const value* format = object->if_contains("format"); format != nullptr && format->is_string()) {
    object->erase("format");
  }
  for (auto& [key, member] : *object) {
    if (!IsData({key.data(), key.size()})) RETURN_IF_ERROR(Prepare(member));
  }
  return absl::OkStatus();
}

// The library follows references until it finds something else, at the same value of a payload too. So
// nothing may lead back to itself without a step into the payload.
class ReferenceCheck {
 public:
  explicit ReferenceCheck(const value& root) : root_(root) {}

  absl::Status Check(const value& node) {
    if (const auto* array = node.if_array()) {
      for (const value& item : *array) RETURN_IF_ERROR(Check(item));
    }
    const auto* object = node.if_object();
    if (object == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(Height(node, 0).status());
    for (const auto& [key, member] : *object) {
      if (!IsData({key.data(), key.size()})) RETURN_IF_ERROR(Check(member));
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status TooMany() {
    return absl::InvalidArgumentError(Concat("has a reference that leads back to itself, or more than ",
                                             kMaxSchemaSteps, " schemas within one another for one value"));
  }

  // How many schemas, one within the other, are asked of the same value as this one; itself too.
  absl::StatusOr<size_t> Height(const value& node, size_t above) {
    const auto* schema = node.if_object();
    if (schema == nullptr) return 0;
    if (const auto known = heights_.find(&node); known != heights_.end()) {
      return above + known->second > kMaxSchemaSteps ? TooMany() : absl::StatusOr<size_t>(known->second);
    }
    if (above == kMaxSchemaSteps) return TooMany();
    size_t below = 0;
    for (const auto& [key, member] : *schema) {
      const std::string_view keyword(key.data(), key.size());
      if (keyword == "$ref" && member.is_string()) {
        ASSIGN_OR_RETURN(const value* target, Find({member.get_string().data(), member.get_string().size()}));
        RETURN_IF_ERROR(Add(*target, above, below));
      } else if (keyword == "not" || keyword == "if" || keyword == "then" || keyword == "else") {
        RETURN_IF_ERROR(Add(member, above, below));
      } else if (keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf") {
        if (!member.is_array()) continue;
        for (const value& each : member.get_array()) RETURN_IF_ERROR(Add(each, above, below));
      } else if (keyword == "dependencies" && member.is_object()) {
        for (const auto& each : member.get_object()) RETURN_IF_ERROR(Add(each.value(), above, below));
      }
    }
    heights_.emplace(&node, below + 1);
    return below + 1;
  }

  absl::Status Add(const value& node, size_t above, size_t& below) {
    ASSIGN_OR_RETURN(const size_t height, Height(node, above + 1));
    below = std::max(below, height);
    return absl::OkStatus();
  }

  absl::StatusOr<const value*> Find(std::string_view reference) const {
    if (!reference.starts_with('#') || reference.find('%') != std::string_view::npos) {
      return absl::InvalidArgumentError(
          "has a reference out of it: write \"#/definitions/NAME\", without percent signs");
    }
    reference.remove_prefix(1);
    while (reference.ends_with('/')) reference.remove_suffix(1);  // as the library does
    boost::json::error_code error;
    const value* target = root_.find_pointer({reference.data(), reference.size()}, error);
    if (target == nullptr) return absl::InvalidArgumentError("has a reference that leads nowhere");
    return target;
  }

  const value& root_;
  absl::flat_hash_map<const value*, size_t> heights_;
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
  RETURN_IF_ERROR(Prepare(document));
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
