#include "cli/yaml_reader.h"

#include <algorithm>
#include <set>

#include <absl/strings/numbers.h>
#include <absl/strings/str_join.h>
#include <yaml-cpp/yaml.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "cli/output.h"
#include "config/yaml_documents.h"

namespace hookd::cli {
namespace {

constexpr size_t kShownTextBytes = 80;

}  // namespace

absl::Status YamlValue::Fault(const std::string& reason) const {
  return absl::InvalidArgumentError(
      Concat(file_, ":", line_, ": ", path_, path_.empty() ? "" : ": ", OneLine(reason, 400)));
}

absl::Status YamlValue::UnknownKey(const std::string& known) const {
  return Fault("unknown key: remove it, or use one of " + known);
}

absl::StatusOr<std::string> YamlValue::Text() const {
  if (!node_.IsScalar()) return Fault("has to be one text or number");
  return node_.Scalar();
}

absl::StatusOr<std::string> YamlValue::OneOf(const std::vector<std::string>& words) const {
  ASSIGN_OR_RETURN(std::string text, Text());
  if (std::find(words.begin(), words.end(), text) != words.end()) return text;
  return Fault(
      Concat(OneLine(text, kShownTextBytes), " is not known: give one of ", absl::StrJoin(words, ", ")));
}

absl::StatusOr<bool> YamlValue::Bool() const {
  ASSIGN_OR_RETURN(const std::string text, OneOf({"true", "false"}));
  return text == "true";
}

absl::StatusOr<uint64_t> YamlValue::Number(uint64_t max) const {
  ASSIGN_OR_RETURN(const std::string text, Text());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number > max) {
    return Fault(Concat(OneLine(text, kShownTextBytes), " is not a whole number from 0 to ", max));
  }
  return number;
}

bool YamlValue::IsMap() const { return node_.IsMap(); }

absl::Status YamlValue::EachKey(
    const std::function<absl::Status(const std::string&, const YamlValue&)>& take) const {
  if (node_.IsNull()) return absl::OkStatus();
  if (!node_.IsMap()) return Fault("has to hold keys: write them as \"key: value\"");
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) return Fault("has a key that is not a word");
    const std::string& key = entry.first.Scalar();
    const YamlValue value(entry.second, file_,
                          Concat(path_, path_.empty() ? "" : ".", OneLine(key, kShownTextBytes)),
                          entry.first.Mark().line + 1);
    if (!seen.insert(key).second) return value.Fault("given twice: keep one");
    RETURN_IF_ERROR(take(key, value));
  }
  return absl::OkStatus();
}

absl::Status YamlValue::EachItem(const std::function<absl::Status(const YamlValue&)>& take) const {
  if (node_.IsNull()) return absl::OkStatus();
  if (!node_.IsSequence()) return Fault("has to be a list: write [a, b], or [] for none");
  size_t index = 0;
  for (const YAML::Node& item : node_) {
    RETURN_IF_ERROR(take(YamlValue(item, file_, Concat(path_, "[", index++, "]"), item.Mark().line + 1)));
  }
  return absl::OkStatus();
}

absl::Status ReadYaml(std::string_view text, const std::string& name,
                      const std::function<absl::Status(const YamlValue&)>& read) {
  try {
    const std::string whole(text);
    const YamlDocuments documents = CountYamlDocuments(whole);
    if (documents.second) {
      return absl::InvalidArgumentError(
          Concat(name, ":", *documents.second + 1, ": a second document: keep only one"));
    }
    const YAML::Node root = documents.any ? YAML::Load(whole) : YAML::Node();
    return read(YamlValue(root, name, "", 1));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(Concat(name, ":", error.mark.line + 1, ": not valid YAML (",
                                             OneLine(error.msg, 400), "): correct it"));
  }
}

}  // namespace hookd::cli
