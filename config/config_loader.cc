#include "config/config_loader.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/string_view.h>
#include <yaml-cpp/yaml.h>

#include "base/check.h"
#include "config/value.h"

namespace hookd {
namespace {

using config::v1::Config;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void SetDefaults(Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!config::IsValue(field)) {
      SetDefaults(*message.GetReflection()->MutableMessage(&message, &field));
    } else if (!field.is_repeated()) {
      const absl::Status set =
          config::SetValue(field, field.options().GetExtension(config::v1::rule).default_(), message);
      HOOKD_CHECK(set.ok(), field.full_name().c_str());
    }
  }
}

std::string KnownKeys(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

class Loader {
 public:
  explicit Loader(std::string_view name) : name_(std::string(name)) {}

  absl::StatusOr<Config> Parse(std::string_view yaml) {
    Config config = DefaultConfig();
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
      if (documents.size() > 1) Fault(documents[1].Mark().line, "", "a second document: keep only one");
      if (!documents.empty()) ReadSection(documents.front(), "", config);
    } catch (const YAML::Exception& error) {
      Fault(error.mark.line, "", absl::StrCat("not valid YAML (", error.msg, "): correct it"));
    }
    if (faults_.empty()) CheckTogether(config);
    if (faults_.empty()) return config;
    return absl::InvalidArgumentError(absl::StrJoin(faults_, "\n"));
  }

 private:
  // `line` counts from 0, as yaml-cpp does; negative = none.
  void Fault(int line, absl::string_view key, absl::string_view reason) {
    std::string fault = name_;
    if (line >= 0) absl::StrAppend(&fault, ":", line + 1);
    if (!key.empty()) absl::StrAppend(&fault, ": ", key);
    faults_.push_back(absl::StrCat(fault, ": ", reason));
  }

  void ReadSection(const YAML::Node& node, const std::string& path, Message& section) {
    const Descriptor& type = *section.GetDescriptor();
    if (node.IsNull()) return;  // all of its keys are commented out
    if (!node.IsMap()) {
      return Fault(node.Mark().line, path, absl::StrCat("has to hold keys: give ", KnownKeys(type)));
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const int line = entry.first.Mark().line;
      if (!entry.first.IsScalar()) {
        Fault(line, path, "a key that is not a word: remove it");
        continue;
      }
      const std::string& word = entry.first.Scalar();
      const std::string key = absl::StrCat(path, path.empty() ? "" : ".", absl::CEscape(word.substr(0, 80)));
      if (!seen.insert(word).second) {
        Fault(line, key, "given twice: keep one");
        continue;
      }
      const FieldDescriptor* field = type.FindFieldByName(word);
      if (field == nullptr) {
        Fault(line, key, absl::StrCat("unknown key: remove it, or use one of ", KnownKeys(type)));
        continue;
      }
      ReadField(entry.second, line, key, *field, section);
    }
  }

  void ReadField(const YAML::Node& node, int line, const std::string& key, const FieldDescriptor& field,
                 Message& section) {
    lines_[key] = line;
    if (!config::IsValue(field)) {
      ReadSection(node, key, *section.GetReflection()->MutableMessage(&section, &field));
    } else if (!field.is_repeated()) {
      ReadValue(node, line, key, field, section);
    } else if (!node.IsSequence()) {
      Fault(line, key, "has to be a list: write [a, b], or [] for none");
    } else if (const int most = field.options().GetExtension(config::v1::rule).max_items();
               node.size() > static_cast<size_t>(most)) {
      Fault(line, key, absl::StrCat("has ", node.size(), " items: give at most ", most));
    } else {
      for (const YAML::Node& item : node) ReadValue(item, item.Mark().line, key, field, section);
    }
  }

  void ReadValue(const YAML::Node& node, int line, const std::string& key, const FieldDescriptor& field,
                 Message& section) {
    if (!node.IsScalar()) {
      return Fault(line, key,
                   node.IsNull() ? "has no value: give one, or remove the key for its default"
                                 : "has to be a single value");
    }
    if (const absl::Status set = config::SetValue(field, node.Scalar(), section); !set.ok()) {
      Fault(line, key, set.message());
    }
  }

  // Of a key that the file may not have given.
  int LineOf(const std::string& key) const {
    const auto found = lines_.find(key);
    return found == lines_.end() ? -1 : found->second;
  }

  // What single values cannot say about each other.
  void CheckTogether(const Config& config) {
    const auto check = [this](bool good, const std::string& key, absl::string_view reason) {
      if (!good) Fault(LineOf(key), key, reason);
    };
    check(config.grpc().listen() != config.http().listen() || absl::EndsWith(config.grpc().listen(), ":0"),
          "http.listen", "is the same as grpc.listen: give each its own port");
    check(config.delivery().max_in_flight() >= config.delivery().shards(), "delivery.max_in_flight",
          "is below delivery.shards: every shard needs at least one, raise it or lower delivery.shards");
    check(config.commit().max_bytes().bytes() <= config.intake().bytes().bytes(), "commit.max_bytes",
          "is above intake.bytes, so no commit could be that big: lower it or raise intake.bytes");
    check(config.intake().bytes_per_subscriber().bytes() <= config.intake().bytes().bytes(),
          "intake.bytes_per_subscriber", "is above intake.bytes: lower it or raise intake.bytes");
    check(config.storage().disk_low_percent() < config.storage().disk_high_percent(),
          "storage.disk_low_percent", "is not below storage.disk_high_percent: lower it");
    check(config.retention().payloads().seconds() <= config.retention().history().seconds(),
          "retention.payloads", "is above retention.history: lower it or raise retention.history");
  }

  std::string name_;
  std::vector<std::string> faults_;
  std::map<std::string, int> lines_;
};

// A value of a section as bytes that differ when the values do.
std::string Bytes(const Message& section, const FieldDescriptor& field) {
  const std::unique_ptr<Message> only(section.New());
  only->CopyFrom(section);
  std::vector<const FieldDescriptor*> fields;
  only->GetReflection()->ListFields(*only, &fields);
  for (const FieldDescriptor* other : fields) {
    if (other != &field) only->GetReflection()->ClearField(only.get(), other);
  }
  return only->SerializeAsString();
}

void AddChanged(const Message& from, const Message& to, const std::string& prefix,
                std::vector<ChangedKey>& changed) {
  const google::protobuf::Descriptor& type = *from.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string key = absl::StrCat(prefix, field.name());
    if (!config::IsValue(field)) {
      AddChanged(from.GetReflection()->GetMessage(from, &field), to.GetReflection()->GetMessage(to, &field),
                 absl::StrCat(key, "."), changed);
    } else if (Bytes(from, field) != Bytes(to, field)) {
      changed.push_back({key, field.options().GetExtension(config::v1::rule).reload()});
    }
  }
}

}  // namespace

std::vector<ChangedKey> ChangedKeys(const Config& from, const Config& to) {
  std::vector<ChangedKey> changed;
  AddChanged(from, to, "", changed);
  return changed;
}

Config DefaultConfig() {
  Config config;
  SetDefaults(config);
  return config;
}

absl::StatusOr<Config> ParseConfig(std::string_view yaml, std::string_view name) {
  if (yaml.size() > kMaxConfigBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(name), ": larger than 1 MiB: this is not a hookd configuration"));
  }
  return Loader(name).Parse(yaml);
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int error = errno;
  if (!file) {
    const std::string reason = absl::StrCat(path, ": cannot be opened (", std::strerror(error), ")");
    if (error == ENOENT)
      return absl::NotFoundError(absl::StrCat(reason, ": check the path given to --config"));
    return absl::FailedPreconditionError(absl::StrCat(reason, ": make it readable for hookd's user"));
  }
  std::string yaml(kMaxConfigBytes + 1, '\0');  // one more, so that too much is seen
  file.read(yaml.data(), static_cast<std::streamsize>(yaml.size()));
  if (file.bad())
    return absl::FailedPreconditionError(absl::StrCat(path, ": cannot be read: give a regular file"));
  yaml.resize(static_cast<size_t>(file.gcount()));
  return ParseConfig(yaml, path);
}

}  // namespace hookd
