#include "config/config_loader.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "config/value.h"

namespace hookd {
namespace {

using config::v1::Config;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::util::MessageDifferencer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kDefaultFile[] = "config/hookd.default.yaml";  // tests run in the repository's root

std::string ErrorOf(std::string_view yaml) {
  const absl::StatusOr<Config> config = ParseConfig(yaml, "hookd.yaml");
  if (config.ok()) return "";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

void CollectSchemaKeys(const Descriptor& type, const std::string& prefix, std::set<std::string>& keys) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (config::IsValue(field)) {
      keys.insert(prefix + field.name());
    } else {
      CollectSchemaKeys(*field.message_type(), prefix + field.name() + ".", keys);
    }
  }
}

void CollectFileKeys(const YAML::Node& node, const std::string& prefix, std::set<std::string>& keys) {
  for (const auto& entry : node) {
    const std::string key = prefix + entry.first.Scalar();
    if (entry.second.IsMap()) {
      CollectFileKeys(entry.second, key + ".", keys);
    } else {
      keys.insert(key);
    }
  }
}

TEST(ConfigListenTest, ElsewhereThanOnLoopbackNeedsTlsAndTokens) {
  const std::string tls = "  tls: {cert_file: /c.pem, key_file: /k.pem}\n";
  const std::string grpc = "grpc:\n  listen: 0.0.0.0:7070\n";
  EXPECT_EQ(ErrorOf(grpc),
            "hookd.yaml:2: grpc.listen: 0.0.0.0:7070 is not a loopback address: set grpc.tls.cert_file and "
            "key_file, and auth.required; or allow_insecure_listen, if something else keeps strangers away");
  EXPECT_THAT(ErrorOf(grpc + tls), HasSubstr("is not a loopback address: set auth.required; or"));
  EXPECT_THAT(ErrorOf(grpc + "auth: {required: true}\n"),
              HasSubstr("set grpc.tls.cert_file and key_file; or"));
  EXPECT_EQ(ErrorOf(grpc + tls + "auth: {required: true}\n"), "");
  EXPECT_EQ(ErrorOf(grpc + "allow_insecure_listen: true\n"), "");
  EXPECT_THAT(ErrorOf("http:\n  listen: '[::]:7071'\n"),
              HasSubstr("http.listen: [::]:7071 is not a loopback"));
  Config config = DefaultConfig();
  EXPECT_TRUE(CheckListening(config).ok());
  config.mutable_http()->set_listen("10.0.0.1:1");
  EXPECT_THAT(std::string(CheckListening(config).message()),
              StartsWith("http.listen: 10.0.0.1:1 is not a loopback address"));
}

TEST(ConfigListenTest, ACertificateAndItsKeyGoTogether) {
  EXPECT_THAT(ErrorOf("grpc:\n  tls: {cert_file: /c.pem}\n"), HasSubstr("grpc.tls.key_file: is missing"));
  EXPECT_THAT(ErrorOf("http:\n  tls: {key_file: /k.pem}\n"), HasSubstr("http.tls.cert_file: is missing"));
  EXPECT_THAT(ErrorOf("http:\n  tls: {client_ca_file: /k.pem}\n"),
              HasSubstr("http.tls.cert_file: is missing"));
}

TEST(ConfigDefaultsTest, AreTheDocumentedOnes) {
  const Config config = DefaultConfig();
  EXPECT_EQ(config.data_dir(), "/var/lib/hookd");
  EXPECT_EQ(config.grpc().listen(), "127.0.0.1:7070");
  EXPECT_EQ(config.http().listen(), "127.0.0.1:7071");
  EXPECT_EQ(config.delivery().shards(), 0);
  EXPECT_EQ(config.delivery().max_in_flight(), 512);
  EXPECT_EQ(config.delivery().window_bytes().bytes(), 67'108'864);
  EXPECT_EQ(config.delivery().window_items(), 256);
  EXPECT_EQ(config.delivery().parked_per_lane(), 1000);
  EXPECT_EQ(config.intake().bytes().bytes(), 67'108'864);
  EXPECT_EQ(config.commit().max_items(), 1024);
  EXPECT_EQ(config.commit().max_bytes().bytes(), 4'194'304);
  EXPECT_EQ(config.transport().ca_file(), "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_EQ(config.transport().dns_servers_size(), 0);
  EXPECT_EQ(config.storage().wal_bytes().bytes(), 134'217'728);
  EXPECT_EQ(config.storage().block_cache().bytes(), 67'108'864);
  EXPECT_EQ(config.shutdown().deadline().seconds(), 25);
  EXPECT_EQ(config.log().level(), "info");
  EXPECT_EQ(config.log().file(), "");
}

TEST(ConfigDefaultsTest, FileGivesWhatTheSchemaGives) {
  const absl::StatusOr<Config> file = LoadConfig(kDefaultFile);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*file, DefaultConfig())) << file->DebugString();
}

TEST(ConfigDefaultsTest, FileAndSchemaHaveTheSameKeys) {
  std::set<std::string> schema;
  CollectSchemaKeys(*Config::descriptor(), "", schema);
  std::set<std::string> file;
  CollectFileKeys(YAML::LoadFile(kDefaultFile), "", file);
  EXPECT_EQ(file, schema);
}

void ExpectBoundsNamed(const Descriptor& section, const std::string& text) {
  for (int i = 0; i < section.field_count(); ++i) {
    const FieldDescriptor& field = *section.field(i);
    if (!config::IsValue(field)) {
      ExpectBoundsNamed(*field.message_type(), text);
      continue;
    }
    const config::v1::Rule& rule = field.options().GetExtension(config::v1::rule);
    if (!rule.min().empty()) {
      EXPECT_THAT(text, HasSubstr(rule.min() + " to " + rule.max())) << field.full_name();
    }
  }
}

TEST(ConfigDefaultsTest, FileNamesEveryBound) {
  std::ifstream stream(kDefaultFile);
  ExpectBoundsNamed(*Config::descriptor(), std::string(std::istreambuf_iterator<char>(stream), {}));
}

TEST(ConfigLoaderTest, EmptyFileGivesTheDefaults) {
  for (const char* yaml : {"", "# nothing\n", "{}", "delivery:\n  # shards: 3\n"}) {
    const absl::StatusOr<Config> config = ParseConfig(yaml, "hookd.yaml");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_TRUE(MessageDifferencer::Equals(*config, DefaultConfig())) << yaml;
  }
}

TEST(ConfigLoaderTest, GivenKeysReplaceTheDefaultsAndNothingElse) {
  const absl::StatusOr<Config> config = ParseConfig(
      "data_dir: build/data\n"
      "grpc: {listen: '[::1]:0'}\n"
      "delivery:\n  max_in_flight: 100000\n  window_bytes: 1GiB\n"
      "transport:\n  dns_servers: [9.9.9.9:53, '[2620:fe::fe]:53']\n"
      "shutdown: {deadline: 1500ms}\n"
      "log: {level: warn, file: /var/log/hookd.log}\n",
      "hookd.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  Config expected = DefaultConfig();
  expected.set_data_dir("build/data");
  expected.mutable_grpc()->set_listen("[::1]:0");
  expected.mutable_delivery()->set_max_in_flight(100'000);
  expected.mutable_delivery()->mutable_window_bytes()->set_bytes(1'073'741'824);
  expected.mutable_transport()->add_dns_servers("9.9.9.9:53");
  expected.mutable_transport()->add_dns_servers("[2620:fe::fe]:53");
  expected.mutable_shutdown()->mutable_deadline()->set_seconds(1);
  expected.mutable_shutdown()->mutable_deadline()->set_nanos(500'000'000);
  expected.mutable_log()->set_level("warn");
  expected.mutable_log()->set_file("/var/log/hookd.log");
  EXPECT_TRUE(MessageDifferencer::Equals(*config, expected)) << config->DebugString();
}

TEST(ConfigLoaderTest, AcceptsBothEndsOfARangeAndNothingBeyond) {
  EXPECT_EQ(ErrorOf("delivery: {shards: 64}"), "");
  EXPECT_EQ(ErrorOf("delivery: {shards: 65}"),
            "hookd.yaml:1: delivery.shards: \"65\" is out of range: give 0 to 64");
  EXPECT_EQ(ErrorOf("delivery: {shards: -1}"),
            "hookd.yaml:1: delivery.shards: \"-1\" is out of range: give 0 to 64");
  EXPECT_EQ(ErrorOf("shutdown: {deadline: 0s}"), "");
  EXPECT_EQ(ErrorOf("shutdown: {deadline: 5m}"), "");
  EXPECT_EQ(ErrorOf("shutdown: {deadline: 300001ms}"),
            "hookd.yaml:1: shutdown.deadline: \"300001ms\" is out of range: give 0s to 5m");
  EXPECT_EQ(ErrorOf("delivery: {max_in_flight: 4294967297}"),
            "hookd.yaml:1: delivery.max_in_flight: \"4294967297\" is out of range: give 1 to 100000");
}

TEST(ConfigLoaderTest, ReportsEveryFaultWithItsLine) {
  const std::string error = ErrorOf(
      "data_dir: ''\n"
      "colour: blue\n"
      "grpc:\n"
      "  listen: localhost:7070\n"
      "delivery:\n"
      "  shards: many\n"
      "  shards: 2\n"
      "  window_bytes: 64MB\n"
      "  window_items: [1]\n"
      "shutdown: 25s\n"
      "log:\n"
      "  level: loud\n"
      "  file:\n"
      "transport:\n"
      "  dns_servers: 9.9.9.9:53\n");
  std::vector<std::string> lines;
  std::istringstream stream(error);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  EXPECT_THAT(
      lines,
      ElementsAre(
          "hookd.yaml:1: data_dir: is empty: give a value",
          StartsWith("hookd.yaml:2: colour: unknown key: remove it, or use one of data_dir, grpc"),
          StartsWith("hookd.yaml:4: grpc.listen: \"localhost:7070\" is not an address"),
          StartsWith("hookd.yaml:6: delivery.shards: \"many\" is not a whole number"),
          "hookd.yaml:7: delivery.shards: given twice: keep one",
          StartsWith("hookd.yaml:8: delivery.window_bytes: \"64MB\" is not a size"),
          "hookd.yaml:9: delivery.window_items: has to be a single value",
          "hookd.yaml:10: shutdown: has to hold keys: give deadline",
          "hookd.yaml:12: log.level: \"loud\" is not known: give one of trace, debug, info, warn, error",
          StartsWith("hookd.yaml:13: log.file: has no value"),
          StartsWith("hookd.yaml:15: transport.dns_servers: has to be a list")));
}

TEST(ConfigLoaderTest, ReportsTheLineOfAListItem) {
  EXPECT_THAT(ErrorOf("transport:\n  dns_servers:\n    - 9.9.9.9:53\n    - dns.example\n"),
              StartsWith("hookd.yaml:4: transport.dns_servers: \"dns.example\" is not an address"));
}

TEST(ConfigLoaderTest, ReadsWhereEndpointsMayLead) {
  const absl::StatusOr<Config> config = ParseConfig(
      "egress:\n  allow_loopback: true\n  allow_addresses: [10.0.0.0/8, 'fd00::/8', 192.0.2.1]\n"
      "  deny_hosts: [internal, a_b.example.com]\n  allow_ports: [443, 8443]\n",
      "hookd.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->egress().allow_loopback());
  EXPECT_THAT(config->egress().allow_addresses(), ElementsAre("10.0.0.0/8", "fd00::/8", "192.0.2.1"));
  EXPECT_THAT(config->egress().deny_hosts(), ElementsAre("internal", "a_b.example.com"));
  EXPECT_THAT(config->egress().allow_ports(), ElementsAre(443, 8443));
  EXPECT_EQ(ErrorOf("egress: {proxy: 'http://[fd00::5]:3128', source_addresses: [10.0.0.4, 'fd00::4'],"
                    " published_addresses: [203.0.113.0/24]}"),
            "");
  EXPECT_FALSE(config->transport().insecure_skip_tls_verification());

  const std::pair<const char*, const char*> bad[] = {
      {"allow_loopback: yes", "allow_loopback: \"yes\" is not true or false"},
      {"allow_addresses: [10.0.0.1/8]",
       "allow_addresses: \"10.0.0.1/8\" has bits beyond its prefix: write 10.0.0.0/8"},
      {"deny_addresses: [10/8]", "deny_addresses: \"10/8\" is not an address range"},
      {"allow_hosts: [.example.com]", "allow_hosts: \".example.com\" is not a host name"},
      {"deny_hosts: ['*.example.com']", "deny_hosts: \"*.example.com\" is not a host name"},
      {"allow_ports: [0]", "allow_ports: \"0\" is out of range: give 1 to 65535"},
      {"deny_ports: [65536]", "deny_ports: \"65536\" is out of range"},
      {"proxy: 'https://10.0.0.5:3128'", "proxy: \"https://10.0.0.5:3128\" is not a proxy"},
      {"proxy: 'http://proxy.internal:3128'", "proxy: \"http://proxy.internal:3128\" is not a proxy"},
      {"proxy: 'http://10.0.0.5:0'", "proxy: \"http://10.0.0.5:0\" is not a proxy"},
      {"source_addresses: [10.0.0.0/8]", "source_addresses: \"10.0.0.0/8\" is not an IP address"},
      {"published_addresses: [here]", "published_addresses: \"here\" is not an address range"},
  };
  for (const auto& [line, error] : bad) {
    EXPECT_THAT(ErrorOf("egress: {" + std::string(line) + "}"),
                StartsWith("hookd.yaml:1: egress." + std::string(error)));
  }
}

TEST(ConfigLoaderTest, BoundsLists) {
  std::string yaml = "transport:\n  dns_servers:\n";
  for (int i = 0; i < 8; ++i) yaml += "    - 9.9.9.9:53\n";
  EXPECT_EQ(ErrorOf(yaml), "");
  EXPECT_EQ(ErrorOf(yaml + "    - 9.9.9.9:53\n"),
            "hookd.yaml:2: transport.dns_servers: has 9 items: give at most 8");
}

TEST(ConfigLoaderTest, ChecksWhatKeysSayTogether) {
  EXPECT_THAT(ErrorOf("http: {listen: '127.0.0.1:7070'}"),
              StartsWith("hookd.yaml:1: http.listen: is the same as grpc.listen"));
  EXPECT_EQ(ErrorOf("grpc: {listen: '127.0.0.1:0'}\nhttp: {listen: '127.0.0.1:0'}"), "");
  EXPECT_THAT(ErrorOf("\ndelivery: {shards: 8, max_in_flight: 7}"),
              StartsWith("hookd.yaml:2: delivery.max_in_flight: is below delivery.shards"));
  EXPECT_THAT(ErrorOf("intake: {bytes: 8MiB}\ncommit: {max_bytes: 16MiB}"),
              StartsWith("hookd.yaml:2: commit.max_bytes: is above intake.bytes"));
  EXPECT_THAT(ErrorOf("secrets: {key_file: /a, key_env: B}"),
              StartsWith("hookd.yaml:1: secrets.key_file: is one of several keys"));
  EXPECT_EQ(ErrorOf("secrets: {credential: hookd-key, old_key_files: [/a, /b]}"), "");
  // The fault lies with a default: there is no line to name.
  EXPECT_THAT(ErrorOf("grpc: {listen: '127.0.0.1:7071'}"),
              StartsWith("hookd.yaml: http.listen: is the same"));
}

TEST(ConfigLoaderTest, RefusesWhatIsNotYaml) {
  EXPECT_THAT(ErrorOf("grpc:\n  listen: [\n"), AllOf(StartsWith("hookd.yaml:"), HasSubstr("not valid YAML")));
  EXPECT_THAT(ErrorOf("- a\n- b\n"), HasSubstr("has to hold keys"));
  EXPECT_THAT(ErrorOf("just words"), HasSubstr("has to hold keys"));
  EXPECT_THAT(ErrorOf("log: {level: info}\n---\nlog: {level: warn}\n"), HasSubstr("a second document"));
  EXPECT_THAT(ErrorOf("? [a, b]\n: c\n"), HasSubstr("a key that is not a word"));
  EXPECT_THAT(ErrorOf("data_dir: \"a\\0b\"\n"), HasSubstr("a control character"));
  // A line stays one, whatever the text holds.
  EXPECT_THAT(ErrorOf(std::string("a: &a [x]\nb: \x10\0\n", 16)),
              AllOf(HasSubstr("not valid YAML"), Not(HasSubstr("\n"))));
  EXPECT_THAT(ErrorOf(std::string(100'000, '[')), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf(std::string(kMaxConfigBytes + 1, '#')), HasSubstr("larger than 1 MiB"));
}

TEST(ConfigLoaderTest, ErrorsStayShortAndOnOneLine) {
  const std::string error = ErrorOf("log: {level: \"" + std::string(5000, 'x') + "\"}\n");
  EXPECT_LT(error.size(), 300U);
  EXPECT_EQ(ErrorOf("\"a\\nb\": 1\n").find('\n'), std::string::npos);
}

TEST(ConfigLoaderTest, NamesAFileThatIsNotThere) {
  const absl::StatusOr<Config> config = LoadConfig("/nonexistent/hookd.yaml");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(config.status().message(), HasSubstr("/nonexistent/hookd.yaml"));
}

TEST(ConfigLoaderTest, RefusesADirectory) {
  const absl::StatusOr<Config> config = LoadConfig(std::filesystem::temp_directory_path().string());
  EXPECT_EQ(config.status().code(), absl::StatusCode::kFailedPrecondition) << config.status();
}

TEST(ConfigLoaderTest, SaysWhichKeysDifferAndWhichActAtOnce) {
  const config::v1::Config before = DefaultConfig();
  EXPECT_TRUE(ChangedKeys(before, before).empty());
  const config::v1::Config after = *ParseConfig(
      "grpc: {listen: '127.0.0.1:1'}\ntransport: {dns_servers: ['127.0.0.1:53']}\nretention: {pending: 2h}\n"
      "log: {level: warn}\nintake: {bytes: 32MiB}\n",
      "test");
  std::vector<std::string> now;
  std::vector<std::string> later;
  for (const ChangedKey& key : ChangedKeys(before, after)) (key.reload ? now : later).push_back(key.key);
  EXPECT_EQ(now, (std::vector<std::string>{"log.level", "retention.pending"}));
  EXPECT_EQ(later, (std::vector<std::string>{"grpc.listen", "intake.bytes", "transport.dns_servers"}));
}

}  // namespace
}  // namespace hookd
