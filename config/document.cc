#include "config/document.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <yaml-cpp/yaml.h>

#include "config/value.h"
#include "config/yaml_documents.h"
#include "hookd/config/v1/config.pb.h"

namespace hookd::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string KnownKeys(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

std::string Join(const std::string& path, absl::string_view key) {
  return absl::StrCat(path, path.empty() ? "" : ".", key);
}

}  // namespace

void Document::Read(absl::string_view yaml, Message& root) {
  try {
    const std::string text(yaml);
    const YamlDocuments documents = CountYamlDocuments(text);
    if (documents.second) Add(*documents.second, "", "a second document: keep only one");
    if (documents.any) {
      const YAML::Node document = YAML::Load(text);
      ReadSection(document, document.Mark().line, "", root);
    } else if (missing_ == Missing::kFault) {
      Add(-1, "", absl::StrCat("is empty: give ", KnownKeys(*root.GetDescriptor())));
    }
  } catch (const YAML::Exception& error) {
    Add(error.mark.line, "", absl::StrCat("not valid YAML (", absl::CEscape(error.msg), "): correct it"));
  }
}

void Document::Fault(const std::string& key, absl::string_view reason) {
  const auto line = lines_.find(key);
  Add(line == lines_.end() ? -1 : line->second, key, reason);
}

void Document::FaultNear(absl::string_view reason) {
  std::string key(reason.substr(0, reason.find(':')));
  auto line = lines_.find(key);
  while (line == lines_.end() && !key.empty()) {
    const size_t cut = key.find_last_of(".[");
    key.resize(cut == std::string::npos ? 0 : cut);
    line = lines_.find(key);
  }
  Add(line == lines_.end() ? -1 : line->second, "", reason);
}

void Document::Add(int line, absl::string_view key, absl::string_view reason) {
  std::string fault = name_;
  if (line >= 0) absl::StrAppend(&fault, ":", line + 1);
  if (!key.empty()) absl::StrAppend(&fault, ": ", key);
  faults_.push_back(absl::StrCat(fault, ": ", reason));
}

void Document::ReadSection(const YAML::Node& node, int line, const std::string& path, Message& section) {
  const Descriptor& type = *section.GetDescriptor();
  if (node.IsNull() && missing_ == Missing::kKeepsValue) return;  // all of its keys are commented out
  if (!node.IsMap()) return Add(line, path, absl::StrCat("has to hold keys: give ", KnownKeys(type)));
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const int at = entry.first.Mark().line;
    if (!entry.first.IsScalar()) {
      Add(at, path, "a key that is not a word: remove it");
      continue;
    }
    const std::string& word = entry.first.Scalar();
    const std::string key = Join(path, absl::CEscape(word.substr(0, 80)));
    if (!seen.insert(word).second) {
      Add(at, key, "given twice: keep one");
      continue;
    }
    const FieldDescriptor* field = type.FindFieldByName(word);
    if (field == nullptr) {
      Add(at, key, absl::StrCat("unknown key: remove it, or use one of ", KnownKeys(type)));
      continue;
    }
    ReadField(entry.second, at, key, *field, section);
  }
  if (missing_ == Missing::kKeepsValue) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (seen.contains(field.name()) || field.options().GetExtension(v1::rule).may_be_absent()) continue;
    Add(line, Join(path, field.name()), "is missing: give it, a profile states all of its settings");
  }
}

void Document::ReadField(const YAML::Node& node, int line, const std::string& key,
                         const FieldDescriptor& field, Message& section) {
  lines_[key] = line;
  if (field.is_repeated()) {
    ReadList(node, line, key, field, section);
  } else if (!IsValue(field)) {
    ReadSection(node, line, key, *section.GetReflection()->MutableMessage(&section, &field));
  } else {
    ReadValue(node, line, key, field, section);
  }
}

void Document::ReadList(const YAML::Node& node, int line, const std::string& key,
                        const FieldDescriptor& field, Message& section) {
  if (!node.IsSequence()) return Add(line, key, "has to be a list: write [a, b], or [] for none");
  const int most = field.options().GetExtension(v1::rule).max_items();
  if (node.size() > static_cast<size_t>(most)) {
    return Add(line, key, absl::StrCat("has ", node.size(), " items: give at most ", most));
  }
  for (size_t i = 0; i < node.size(); ++i) {
    const YAML::Node& item = node[i];
    if (IsValue(field)) {
      ReadValue(item, item.Mark().line, key, field, section);
      continue;
    }
    const std::string item_key = absl::StrCat(key, "[", i, "]");
    lines_[item_key] = item.Mark().line;
    ReadSection(item, item.Mark().line, item_key, *section.GetReflection()->AddMessage(&section, &field));
  }
}

void Document::ReadValue(const YAML::Node& node, int line, const std::string& key,
                         const FieldDescriptor& field, Message& section) {
  if (!node.IsScalar()) {
    const bool none = node.IsNull();
    return Add(line, key,
               !none ? "has to be a single value"
               : missing_ == Missing::kKeepsValue
                   ? "has no value: give one, or remove the key for its default"
                   : "has no value: give one");
  }
  if (const absl::Status set = SetValue(field, node.Scalar(), section); !set.ok()) {
    Add(line, key, set.message());
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  const int error = errno;
  if (!file) {
    const std::string reason = absl::StrCat(path, ": cannot be opened (", std::strerror(error), ")");
    if (error == ENOENT) return absl::NotFoundError(absl::StrCat(reason, ": check the path"));
    return absl::FailedPreconditionError(absl::StrCat(reason, ": make it readable for hookd's user"));
  }
  std::string bytes(max_bytes + 1, '\0');  // one more, so that too much is seen
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (file.bad()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": cannot be read: give a regular file"));
  }
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.size() > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": larger than ", max_bytes >> 10, " KiB"));
  }
  return bytes;
}

}  // namespace hookd::config
