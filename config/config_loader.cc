#include "config/config_loader.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/string_view.h>

#include "base/check.h"
#include "config/document.h"
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

// Why the port must not listen there; empty = it may.
std::string CheckPort(const Config& config, const std::string& section, const std::string& listen,
                      const config::v1::ServerTls& tls) {
  if (config::IsLoopback(listen) || config.allow_insecure_listen()) return "";
  const bool has_tls = !tls.cert_file().empty();
  if (has_tls && config.auth().required()) return "";
  return absl::StrCat(listen, " is not a loopback address: set ", has_tls ? "" : section,
                      has_tls ? "" : ".tls.cert_file and key_file",
                      has_tls || config.auth().required() ? "" : ", and ",
                      config.auth().required() ? "" : "auth.required",
                      "; or allow_insecure_listen, if something else keeps strangers away");
}

using Check = std::function<void(bool good, const std::string& key, absl::string_view reason)>;

void CheckTls(const std::string& section, const config::v1::ServerTls& tls, const Check& check) {
  check(tls.cert_file().empty() == tls.key_file().empty(),
        section + (tls.cert_file().empty() ? ".cert_file" : ".key_file"),
        "is missing: a certificate and its key go together");
  check(tls.client_ca_file().empty() || !tls.cert_file().empty(), section + ".cert_file",
        "is missing: without it there is no TLS that client_ca_file could act on");
}

// What single values cannot say about each other.
void CheckTogether(const Config& config, config::Document& document) {
  const Check check = [&document](bool good, const std::string& key, absl::string_view reason) {
    if (!good) document.Fault(key, reason);
  };
  CheckTls("grpc.tls", config.grpc().tls(), check);
  CheckTls("http.tls", config.http().tls(), check);
  const std::string grpc = CheckPort(config, "grpc", config.grpc().listen(), config.grpc().tls());
  check(grpc.empty(), "grpc.listen", grpc);
  const std::string http = CheckPort(config, "http", config.http().listen(), config.http().tls());
  check(http.empty(), "http.listen", http);
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
  const config::v1::Secrets& secrets = config.secrets();
  check(int{!secrets.key_file().empty()} + int{!secrets.key_env().empty()} +
                int{!secrets.credential().empty()} <=
            1,
        "secrets.key_file", "is one of several keys: give one of key_file, key_env and credential");
  check(!secrets.seal_payloads() || !secrets.key_file().empty() || !secrets.key_env().empty() ||
            !secrets.credential().empty(),
        "secrets.seal_payloads", "needs a key: give key_file, key_env or credential");
}

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

absl::Status CheckListening(const Config& config) {
  if (const std::string grpc = CheckPort(config, "grpc", config.grpc().listen(), config.grpc().tls());
      !grpc.empty()) {
    return absl::InvalidArgumentError("grpc.listen: " + grpc);
  }
  const std::string http = CheckPort(config, "http", config.http().listen(), config.http().tls());
  return http.empty() ? absl::OkStatus() : absl::InvalidArgumentError("http.listen: " + http);
}

Config DefaultConfig() {
  Config config;
  SetDefaults(config);
  return config;
}

absl::StatusOr<Config> ParseConfig(std::string_view yaml, std::string_view name) {
  const std::string shown(name);
  if (yaml.size() > kMaxConfigBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(shown, ": larger than 1 MiB: this is not a hookd configuration"));
  }
  Config config = DefaultConfig();
  config::Document document(shown, config::Missing::kKeepsValue);
  document.Read(std::string(yaml), config);
  if (document.ok()) CheckTogether(config, document);
  if (document.ok()) return config;
  return absl::InvalidArgumentError(absl::StrJoin(document.faults(), "\n"));
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  absl::StatusOr<std::string> yaml = config::ReadFile(path, kMaxConfigBytes);
  if (absl::IsNotFound(yaml.status())) {
    return absl::NotFoundError(absl::StrCat(yaml.status().message(), " given to --config"));
  }
  if (!yaml.ok()) return yaml.status();
  return ParseConfig(*yaml, path);
}

}  // namespace hookd
