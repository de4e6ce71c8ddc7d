#include "dispatcher/core/json_schema.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string CompileError(std::string_view text) { return JsonSchema::Compile(text).status().ToString(); }

std::string Check(std::string_view schema, std::string_view payload) {
  const auto compiled = JsonSchema::Compile(schema);
  if (!compiled.ok()) return compiled.status().ToString();
  return (*compiled)->Check(payload).ToString();
}

TEST(JsonSchemaTest, SaysWhereAPayloadDoesNotFit) {
  constexpr char kSchema[] = R"({"type": "object", "required": ["data"], "properties": {
      "data": {"type": "array", "items": {"type": "object", "properties": {
          "a/b~c": {"type": ["string", "null"]}, "ack": {"enum": [1, 2, 3]}}}}}})";
  EXPECT_EQ(Check(kSchema, R"({"data": []})"), "OK");
  EXPECT_EQ(Check(kSchema, R"({"data": [{"a/b~c": null, "ack": 3, "more": {}}], "other": 1})"), "OK");
  EXPECT_THAT(Check(kSchema, R"({"data": [{}, {"a/b~c": 7}]})"),
              StartsWith("INVALID_ARGUMENT: at /data/1/a~1b~0c: "));
  EXPECT_THAT(Check(kSchema, R"({"data": [{"ack": 4}]})"), StartsWith("INVALID_ARGUMENT: at /data/0/ack: "));
  EXPECT_THAT(Check(kSchema, "{}"), StartsWith("INVALID_ARGUMENT: at the payload itself: "));
  EXPECT_THAT(Check(kSchema, "[]"), StartsWith("INVALID_ARGUMENT: at the payload itself: "));
}

TEST(JsonSchemaTest, KnowsDraft7) {
  EXPECT_EQ(Check(R"({"const": {"a": 1}})", R"({"a": 1})"), "OK");
  EXPECT_THAT(Check(R"({"const": 1})", "2"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(Check(R"({"exclusiveMinimum": 3})", "3"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(Check(R"({"contains": {"type": "string"}})", "[1, 2]"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(Check(R"({"propertyNames": {"maxLength": 2}})", R"({"abc": 1})"),
              StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(Check(R"({"properties": {"a": false}})", R"({"a": 1})"), StartsWith("INVALID_ARGUMENT"));
  constexpr char kIf[] =
      R"({"if": {"properties": {"tip": {"const": "msg"}}}, "then": {"required": ["text"]}})";
  EXPECT_EQ(Check(kIf, R"({"tip": "other"})"), "OK");
  EXPECT_THAT(Check(kIf, R"({"tip": "msg"})"), StartsWith("INVALID_ARGUMENT"));
  constexpr char kOneOf[] = R"({"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 2}]})";
  EXPECT_EQ(Check(kOneOf, "\"ab\""), "OK");
  EXPECT_THAT(Check(kOneOf, "\"a\""), StartsWith("INVALID_ARGUMENT"));
}

TEST(JsonSchemaTest, FollowsReferencesWithin) {
  constexpr char kSchema[] = R"({"definitions": {"node": {"type": "object", "properties": {
      "next": {"$ref": "#/definitions/node"}, "id": {"type": "integer"}}}}, "$ref": "#/definitions/node"})";
  EXPECT_EQ(Check(kSchema, R"({"id": 1, "next": {"id": 2}})"), "OK");
  EXPECT_THAT(Check(kSchema, R"({"next": {"next": {"id": "x"}}})"), HasSubstr("at /next/next/id: "));
  EXPECT_THAT(CompileError(R"({"$ref": "http://example.com/schema.json"})"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(CompileError(R"({"$ref": "#/definitions/none"})"), StartsWith("INVALID_ARGUMENT"));
}

TEST(JsonSchemaTest, AMultipleIsOfAPositiveNumber) {
  for (const char* bad : {"0", "-0", "0.0", "-3", "\"3\"", "null"}) {
    EXPECT_THAT(CompileError(std::string(R"({"properties": {"n": {"multipleOf": )") + bad + "}}}"),
                HasSubstr("multipleOf"))
        << bad;
  }
  EXPECT_EQ(Check(R"({"multipleOf": 3})", "9"), "OK");
  EXPECT_THAT(Check(R"({"multipleOf": 3})", "10"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_EQ(Check(R"({"multipleOf": 0.5})", "1.5"), "OK");
  EXPECT_THAT(Check(R"({"multipleOf": 1})", "1.5"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_EQ(Check(R"({"multipleOf": 1})", "1e300"), "OK");
}

TEST(JsonSchemaTest, RefusesWhatLeadsBackToItself) {
  const auto in_circles = HasSubstr("leads back to itself");
  EXPECT_THAT(CompileError(R"({"$ref": "#"})"), in_circles);
  EXPECT_THAT(CompileError(R"({"$ref": "#/"})"), in_circles);
  EXPECT_THAT(CompileError(R"({"allOf": [{"type": "object"}, {"not": {"$ref": "#"}}]})"), in_circles);
  EXPECT_THAT(CompileError(R"({"properties": {"a": {"$ref": "#/definitions/a"}},
      "definitions": {"a": {"if": {"$ref": "#/definitions/b"}}, "b": {"dependencies": {"x": {"$ref": "#/definitions/a"}}}}})"),
              in_circles);
  // A step into the payload, which has an end.
  EXPECT_EQ(Check(R"({"items": {"$ref": "#"}, "maxItems": 1})", "[[[]]]"), "OK");
  EXPECT_EQ(Check(R"({"anyOf": [{"type": "null"}, {"properties": {"a": {"$ref": "#"}}}]})",
                  R"({"a": {"a": null}})"),
            "OK");
}

TEST(JsonSchemaTest, BoundsTheSchemasOfOneValue) {
  const auto chain = [](size_t schemas) {
    std::string text = R"({"definitions": {"s0": {})";
    for (size_t i = 1; i < schemas; ++i) {
      text += Concat(", \"s", i, R"(": {"$ref": "#/definitions/s)", i - 1, "\"}");
    }
    return text + "}}";
  };
  EXPECT_EQ(Check(chain(kMaxSchemaSteps), "1"), "OK");
  EXPECT_THAT(CompileError(chain(kMaxSchemaSteps + 1)), HasSubstr("more than 32 schemas"));
}

TEST(JsonSchemaTest, BoundsHowOftenAValueIsLookedAt) {
  // Each asks twice for the one before it.
  const auto doubling = [](size_t schemas) {
    std::string text =
        R"({"$ref": "#/definitions/s)" + Concat(schemas - 1) + R"(", "definitions": {"s0": {})";
    for (size_t i = 1; i < schemas; ++i) {
      const std::string before = Concat(R"({"$ref": "#/definitions/s)", i - 1, "\"}");
      text += Concat(", \"s", i, R"(": {"allOf": [)", before, ", ", before, "]}");
    }
    return text + "}}";
  };
  EXPECT_EQ(Check(doubling(8), "1"), "OK");
  EXPECT_THAT(CompileError(doubling(12)), HasSubstr("or 1000 in all"));
}

// A name among properties, definitions or dependencies makes no keyword of it.
TEST(JsonSchemaTest, PropertiesMayBeCalledAsKeywordsThatHoldData) {
  for (const std::string name : {"default", "enum", "const", "examples"}) {
    SCOPED_TRACE(name);
    for (const char* table : {"properties", "definitions", "dependencies"}) {
      const std::string head = Concat("{\"", table, "\": {\"", name, "\": ");
      EXPECT_THAT(CompileError(head + R"({"pattern": "(a+)+$"}}})"), HasSubstr("uses pattern"));
      EXPECT_THAT(CompileError(head + R"({"items": {"uniqueItems": true}}}})"),
                  HasSubstr("uses uniqueItems"));
      EXPECT_THAT(CompileError(head + R"({"not": {"$ref": "#"}, "allOf": [{"$ref": "#/)" + table + "/" +
                               name + "\"}]}}}"),
                  HasSubstr("leads back to itself"));
    }
    EXPECT_EQ(Check(Concat(R"({"properties": {")", name, R"(": {"format": "date"}}})"),
                    Concat("{\"", name, R"(": "today"})")),
              "OK");
    // As a keyword it holds data, of which nothing is asked.
    EXPECT_THAT(CompileError(Concat("{\"", name, R"(": [{"pattern": "x", "$ref": "#"}]})")), "OK");
  }
}

TEST(JsonSchemaTest, ReferencesLeadToSchemas) {
  const auto no_schema = HasSubstr("what is no schema");
  for (const char* name : {"default", "const", "examples"}) {
    EXPECT_THAT(CompileError(Concat("{\"", name,
                                    R"(": {"a": {"pattern": "(a+)+$"}}, "properties": {"x": {"$ref": "#/)",
                                    name, "/a\"}}}")),
                no_schema);
  }
  EXPECT_THAT(CompileError(R"({"enum": [{"pattern": "x"}], "items": {"$ref": "#/enum/0"}})"), no_schema);
  EXPECT_THAT(CompileError(R"({"properties": {"format": {}}, "items": {"$ref": "#/properties"}})"),
              no_schema);
  EXPECT_THAT(CompileError(R"({"allOf": [{}], "items": {"$ref": "#/allOf"}})"), no_schema);
  // The library leaves empty steps out, and takes other forms of a number.
  for (const char* reference :
       {"#//definitions/a", "#/allOf/00", "#/allOf/+0", "#/allOf/1", "#definitions"}) {
    EXPECT_THAT(
        CompileError(Concat(R"({"definitions": {"a": {}}, "": {"definitions": {"a": {}}}, "allOf": [{}],)",
                            R"( "items": {"$ref": ")", reference, "\"}}")),
        HasSubstr("leads nowhere"))
        << reference;
  }
  EXPECT_EQ(Check(R"({"properties": {"default": {"type": "integer"}, "a/b": {"$ref": "#/properties/default"},
                      "c": {"$ref": "#/properties/a~1b"}}, "allOf": [{"not": {"type": "null"}}],
                      "items": {"$ref": "#/allOf/0/not"}})",
                  R"({"c": 1, "default": 2})"),
            "OK");
}

TEST(JsonSchemaTest, RefusesWhatIsNoSchema) {
  EXPECT_THAT(CompileError("{"), HasSubstr("is not valid JSON"));
  EXPECT_THAT(CompileError("[]"), HasSubstr("is no JSON Schema"));
  EXPECT_THAT(CompileError(R"({"type": 7})"), StartsWith("INVALID_ARGUMENT"));
  EXPECT_THAT(CompileError(R"({"properties": {"a": {"minLength": "x"}}})"), StartsWith("INVALID_ARGUMENT"));
}

TEST(JsonSchemaTest, RefusesWhatAPayloadCouldMakeExpensive) {
  EXPECT_THAT(CompileError(R"({"properties": {"a": {"pattern": "(a+)+$"}}})"), HasSubstr("uses pattern"));
  EXPECT_THAT(CompileError(R"({"patternProperties": {}})"), HasSubstr("uses patternProperties"));
  EXPECT_THAT(CompileError(R"({"items": {"uniqueItems": true}})"), HasSubstr("uses uniqueItems"));
  // Properties may be called so.
  EXPECT_EQ(Check(R"({"properties": {"pattern": {"type": "string"}, "uniqueItems": {"type": "integer"},
                      "patternProperties": {}}})",
                  R"({"pattern": "x", "uniqueItems": 3})"),
            "OK");
}

TEST(JsonSchemaTest, FormatIsAnAnnotation) {
  EXPECT_EQ(
      Check(R"({"properties": {"at": {"type": "string", "format": "date-time"}}})", R"({"at": "today"})"),
      "OK");
  EXPECT_EQ(Check(R"({"properties": {"format": {"type": "string"}}})", R"({"format": "x"})"), "OK");
  EXPECT_THAT(Check(R"({"properties": {"format": {"type": "string"}}})", R"({"format": 1})"),
              HasSubstr("at /format: "));
}

TEST(JsonSchemaTest, ALargePayloadIsRefusedWithoutItsPath) {
  const std::string items(kMaxLocatedPayloadBytes / 2, '1');
  std::string payload = "[";
  for (size_t i = 0; i <= kMaxLocatedPayloadBytes / 2; ++i) payload += "1,";
  payload += "1]";
  EXPECT_THAT(Check(R"({"items": {"type": "string"}})", payload), HasSubstr("somewhere in its "));
  EXPECT_EQ(Check(R"({"items": {"type": "integer"}})", payload), "OK");
}

}  // namespace
}  // namespace hookd
