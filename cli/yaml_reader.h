// YAML, and JSON as a part of it, read strictly: an unknown key or a wrong type is an error with its line.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace YAML {  // NOLINT(readability-identifier-naming): the library's own
class Node;
}

namespace hookd::cli {

// One value of a document, valid while the document is read. Faults are INVALID_ARGUMENT,
// "name:line: key.path: reason"; what has a line is a value of the file.
class YamlValue {
 public:
  YamlValue(const YAML::Node& node, const std::string& file, std::string path, int line)
      : node_(node), file_(file), path_(std::move(path)), line_(line) {}

  // A word, a number or a text, as it is written.
  absl::StatusOr<std::string> Text() const;
  absl::StatusOr<std::string> OneOf(const std::vector<std::string>& words) const;
  absl::StatusOr<bool> Bool() const;
  // At most `max`.
  absl::StatusOr<uint64_t> Number(uint64_t max) const;

  bool IsMap() const;
  // Stops at the first error. Refuses what is not a map, and a key that is given twice.
  absl::Status EachKey(const std::function<absl::Status(const std::string&, const YamlValue&)>& take) const;
  // Refuses what is not a list.
  absl::Status EachItem(const std::function<absl::Status(const YamlValue&)>& take) const;

  absl::Status Fault(const std::string& reason) const;
  // This value's key is none of `known`.
  absl::Status UnknownKey(const std::string& known) const;

 private:
  const YAML::Node& node_;
  const std::string& file_;
  const std::string path_;
  const int line_;
};

// Reads the one document of `text`; `name` is the file's, for faults.
absl::Status ReadYaml(std::string_view text, const std::string& name,
                      const std::function<absl::Status(const YamlValue&)>& read);

}  // namespace hookd::cli
