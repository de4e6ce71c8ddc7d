// A YAML document, read into a message by reflection: every key known, every value of its field's type and
// within its rule (proto/hookd/config/v1/config.proto).
#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/message.h>

namespace YAML {  // NOLINT(readability-identifier-naming): the library's own
class Node;
}

namespace hookd::config {

inline constexpr size_t kMaxDocumentBytes = 1024 * 1024;

enum class Missing {
  kKeepsValue,  // a key that is not given leaves its field as it was
  kFault,       // it is a fault, unless its rule says may_be_absent
};

// Collects every fault: "name:line: key.path[2]: reason, what to do".
class Document {
 public:
  Document(absl::string_view name, Missing missing) : name_(std::string(name)), missing_(missing) {}

  void Read(absl::string_view yaml, google::protobuf::Message& root);

  // About a key; without a line if the document did not give it.
  void Fault(const std::string& key, absl::string_view reason);
  // About a key, with the line of the nearest one above it that was given. `reason` begins with the key:
  // "policy.timeout: 50ms is out of range".
  void FaultNear(absl::string_view reason);

  bool ok() const { return faults_.empty(); }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  // `line` counts from 0, as yaml-cpp does; negative = none.
  void Add(int line, absl::string_view key, absl::string_view reason);
  void ReadSection(const YAML::Node& node, int line, const std::string& path,
                   google::protobuf::Message& section);
  void ReadField(const YAML::Node& node, int line, const std::string& key,
                 const google::protobuf::FieldDescriptor& field, google::protobuf::Message& section);
  void ReadList(const YAML::Node& node, int line, const std::string& key,
                const google::protobuf::FieldDescriptor& field, google::protobuf::Message& section);
  void ReadValue(const YAML::Node& node, int line, const std::string& key,
                 const google::protobuf::FieldDescriptor& field, google::protobuf::Message& section);

  const std::string name_;
  const Missing missing_;
  std::vector<std::string> faults_;
  std::map<std::string, int, std::less<>> lines_;  // by key
};

// At most `max_bytes`. NOT_FOUND, FAILED_PRECONDITION (cannot be read) and INVALID_ARGUMENT (too large) name
// the file.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace hookd::config
