#include "dispatcher/app/application.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/acting.h"
#include "base/status_macros.h"
#include "config/config_loader.h"
#include "dispatcher/alerts/mailer.h"
#include "dispatcher/api/api_server.h"
#include "dispatcher/api/audit_forms.h"
#include "dispatcher/api/gateway.h"
#include "dispatcher/api/http_port.h"
#include "dispatcher/api/provider_rest.h"
#include "dispatcher/app/alert_mail.h"
#include "dispatcher/app/backup.h"
#include "dispatcher/app/descriptors.h"
#include "dispatcher/app/operator_token.h"
#include "dispatcher/app/profile_folders.h"
#include "dispatcher/app/proto_time.h"
#include "dispatcher/app/readiness.h"
#include "dispatcher/app/secrets.h"
#include "dispatcher/core/egress_rules.h"
#include "dispatcher/core/operational_event.h"
#include "dispatcher/core/url_rules.h"
#include "dispatcher/engine/backup_runner.h"
#include "dispatcher/engine/engine.h"
#include "dispatcher/telemetry/prometheus_telemetry.h"
#include "dispatcher/tools/profile_tool_rules.h"
#include "dispatcher/tools/toolbox.h"
#include "dispatcher/transport/authorizing_transport.h"
#include "dispatcher/transport/curl_transport.h"
#include "storage/format.h"
#include "storage/rocksdb_store.h"

namespace hookd {
namespace {

// EX_SOFTWARE: the supervisor starts hookd again.
constexpr int kExitFatal = 70;
constexpr int kLastWordsMs = 1'000;
// libcurl's multi handles in the whole process: fewer cost more per request, more keep fewer connections
// each.
constexpr size_t kMultis = 16;
constexpr size_t kHttp2Multis = 4;  // beside them
// Of the tools' own transport: few requests, and no connection is kept.
constexpr size_t kToolMultis = 1;
// For the last answers, once the engine has drained.
constexpr std::chrono::seconds kAnswerTime{2};

EgressOptions MakeEgress(const config::v1::Egress& config) {
  const auto ranges = [](const auto& texts) {
    std::vector<Cidr> read;
    // The loader has checked them.
    for (const std::string& text : texts) read.push_back(ParseCidr(text).value());
    return read;
  };
  EgressOptions options;
  options.allow_loopback = config.allow_loopback();
  options.allow_addresses = ranges(config.allow_addresses());
  options.deny_addresses = ranges(config.deny_addresses());
  options.allow_hosts = {config.allow_hosts().begin(), config.allow_hosts().end()};
  options.deny_hosts = {config.deny_hosts().begin(), config.deny_hosts().end()};
  options.allow_ports = {config.allow_ports().begin(), config.allow_ports().end()};
  options.deny_ports = {config.deny_ports().begin(), config.deny_ports().end()};
  return options;
}

// The loader has checked the texts.
absl::StatusOr<EgressPath> MakePath(const config::v1::Egress& config) {
  EgressPath path;
  for (const std::string& text : config.source_addresses()) {
    const std::optional<Ip> ip = ParseIp(text);
    std::optional<Ip>& source = ip->v6 ? path.source_v6 : path.source_v4;
    if (!source) source = ip;
  }
  if (config.proxy().empty()) return path;
  const ParsedUrl proxy = ParseUrl(config.proxy()).value();
  path.proxy = ParseIp(proxy.host);
  path.proxy_port = proxy.port;
  const bool sources = path.source_v4 || path.source_v6;
  if (sources && !(path.proxy->v6 ? path.source_v6 : path.source_v4)) {
    return absl::InvalidArgumentError(
        "egress.source_addresses: none has the family of egress.proxy: add one, or leave them out");
  }
  return path;
}

std::vector<std::string> PublishedAddresses(const config::v1::Egress& config) {
  const auto& published = config.published_addresses();
  if (!published.empty()) return {published.begin(), published.end()};
  return {config.source_addresses().begin(), config.source_addresses().end()};
}

EngineTunables MakeTunables(const config::v1::Config& config) {
  EngineTunables tunables;
  tunables.retention = {ToMillis(config.retention().pending()), ToMillis(config.retention().payloads()),
                        ToMillis(config.retention().history()), ToMillis(config.retention().audit()),
                        static_cast<uint64_t>(config.retention().audit_bytes().bytes())};
  tunables.disk_high_percent = static_cast<uint64_t>(config.storage().disk_high_percent());
  tunables.disk_low_percent = static_cast<uint64_t>(config.storage().disk_low_percent());
  return tunables;
}

EngineOptions MakeEngineOptions(const config::v1::Config& config, const std::string& version) {
  EngineOptions options;
  options.max_in_flight = static_cast<size_t>(config.delivery().max_in_flight());
  options.max_per_host = static_cast<size_t>(config.delivery().max_per_host());
  options.shards = ShardCount(static_cast<size_t>(config.delivery().shards()),
                              std::thread::hardware_concurrency(), options.max_in_flight);
  options.intake_bytes = static_cast<size_t>(config.intake().bytes().bytes());
  options.intake_bytes_per_subscriber = static_cast<size_t>(config.intake().bytes_per_subscriber().bytes());
  options.commit_max_items = static_cast<size_t>(config.commit().max_items());
  options.commit_max_bytes = static_cast<size_t>(config.commit().max_bytes().bytes());
  options.window_bytes = static_cast<size_t>(config.delivery().window_bytes().bytes());
  options.window_items = static_cast<size_t>(config.delivery().window_items());
  options.parked_per_lane = static_cast<size_t>(config.delivery().parked_per_lane());
  options.tunables = MakeTunables(config);
  options.user_agent = absl::StrCat("hookd/", version);
  return options;
}

absl::StatusOr<CurlTransportOptions> MakeTransportOptions(const config::v1::Config& config,
                                                          const EngineOptions& engine) {
  CurlTransportOptions options;
  options.ca_file = config.transport().ca_file();
  RETURN_IF_ERROR(CheckCaFile(options.ca_file));
  options.insecure_skip_tls_verification = config.transport().insecure_skip_tls_verification();
  ASSIGN_OR_RETURN(options.path, MakePath(config.egress()));
  options.multis = std::max<size_t>(1, kMultis / engine.shards);
  options.http2_multis = std::max<size_t>(1, kHttp2Multis / engine.shards);
  options.dns_servers = {config.transport().dns_servers().begin(), config.transport().dns_servers().end()};
  ASSIGN_OR_RETURN(const size_t limit, RaiseDescriptorLimit());
  ASSIGN_OR_RETURN(options.connections_per_multi,
                   ConnectionsPerMulti(limit, {engine.max_in_flight, engine.shards,
                                               (options.multis + options.http2_multis) * engine.shards}));
  return options;
}

std::unique_ptr<HttpTransport> MakeTransport(boost::asio::io_context& io,
                                             const CurlTransportOptions& options) {
  return std::make_unique<AuthorizingTransport>(MakeCurlTransport(io, options, RealClock()), RealClock());
}

ServerTlsOptions MakeTls(const config::v1::ServerTls& config) {
  return {config.cert_file(), config.key_file(), config.client_ca_file()};
}

AuthOptions MakeAuth(const config::v1::Auth& config) {
  AuthOptions options;
  options.required = config.required();
  options.calls.per_second = static_cast<uint32_t>(config.calls_per_second());
  options.calls.burst = static_cast<uint32_t>(config.burst());
  options.bytes_per_second = static_cast<uint32_t>(config.bytes_per_second().bytes());
  options.max_payload_bytes = static_cast<uint32_t>(config.max_payload().bytes());
  return options;
}

// "https://hooks.example.com", or empty.
absl::Status CheckPublicUrl(const std::string& url) {
  if (url.empty()) return absl::OkStatus();
  const bool bare = url.find_first_of("/?", std::min(url.find("://") + 3, url.size())) == std::string::npos;
  if (bare && ParseUrl(url).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "tools.public_url: is not http:// or https:// and a host, without a path: write "
      "https://hooks.example.com");
}

}  // namespace

class Application::Impl {
 public:
  ~Impl() { Stop(); }

  absl::Status Start(const config::v1::Config& config, const std::string& version) {
    config_ = config;
    egress_ = std::make_shared<EgressPolicy>(MakeEgress(config.egress()));
    EngineOptions engine_options = MakeEngineOptions(config, version);
    engine_options.egress = egress_;
    ASSIGN_OR_RETURN(engine_options.profiles, ReadProfiles(config));
    max_in_flight_ = engine_options.max_in_flight;
    max_intake_bytes_ = engine_options.intake_bytes;
    ASSIGN_OR_RETURN(CurlTransportOptions transport_options, MakeTransportOptions(config, engine_options));
    transport_options.egress = egress_;
    RETURN_IF_ERROR(CheckPublicUrl(config.tools().public_url()));
    ASSIGN_OR_RETURN(std::optional<AlertMail> mail, ReadAlertMail(config));
    ASSIGN_OR_RETURN(BackupOptions backup_options, ReadBackupOptions(config, version));
    RocksDbOptions store_options;
    ASSIGN_OR_RETURN(store_options.secrets, ReadSecretKeys(config.secrets()));
    store_options.seal_payloads = config.secrets().seal_payloads();
    InitCurl();

    telemetry_ = MakeTelemetry({config.log().level(), config.log().file()});
    HttpPortOptions http_options;
    http_options.listen = config.http().listen();
    http_options.metrics = [this] { return telemetry_->Scrape(); };
    http_options.ready = [this] { return readiness_.Check(); };
    http_options.gateway = &gateway_;
    http_options.bins = &bins_;
    http_options.tls = MakeTls(config.http().tls());
    http_options.tls_changed = [this](const absl::Status& status) {
      if (status.ok()) return telemetry_->Info("http.tls", "the certificate was read anew");
      telemetry_->Error("http.tls", absl::StrCat("the old one stays: ", status.message()));
    };
    http_options.rest = &rest_;
    ASSIGN_OR_RETURN(http_, HttpPort::Start(std::move(http_options)));

    store_options.path = config.data_dir();
    store_options.wal_bytes = static_cast<size_t>(config.storage().wal_bytes().bytes());
    store_options.block_cache_bytes = static_cast<size_t>(config.storage().block_cache().bytes());
    store_options.ballast_bytes = static_cast<size_t>(config.storage().ballast().bytes());
    store_options.on_failure = [this](const absl::Status& status) { Die(status); };
    store_options.on_mended = [this](const std::string& note) { telemetry_->Warn("store.mended", note); };
    ASSIGN_OR_RETURN(store_, OpenRocksDbStore(store_options, RealClock()));

    TellSecrets();

    CurlTransportOptions tool_transport = transport_options;
    tool_transport.multis = tool_transport.http2_multis = kToolMultis;
    tool_transport.connections_per_multi = 1;
    rules_ = std::make_unique<ProfileToolRules>(engine_options.profiles);
    ToolboxOptions tool_options;
    tool_options.user_agent = engine_options.user_agent;
    tool_options.public_url = config.tools().public_url();
    tool_options.http_tls = !config.http().tls().cert_file().empty();
    if (tool_options.public_url.empty() && tool_options.http_tls) {
      tool_options.public_url = absl::StrCat("https://", http_->address());
    }
    tool_options.origin = config.tools().origin();
    tool_options.verification_required = config.tools().verification() == "required";
    tools_ = std::make_unique<Toolbox>(
        tool_options,
        [tool_transport](boost::asio::io_context& io) { return MakeTransport(io, tool_transport); }, *rules_,
        bins_, *store_, RealClock(), http_->address());
    engine_options.captures = &tools_->captures();
    engine_options.audit = &ApiAuditForms();
    engine_options.on_configured = [this](const Endpoint& endpoint) {
      tools_->prober().Configured(endpoint);
    };

    engine_ = std::make_unique<Engine>(
        engine_options, *store_, RealClock(), *telemetry_,
        [transport_options](boost::asio::io_context& io) { return MakeTransport(io, transport_options); },
        [this](const absl::Status& status) { Die(status); });
    RETURN_IF_ERROR(engine_->Start());
    RETURN_IF_ERROR(StartMail(std::move(mail)));
    StartProber();
    if (!backup_options.folder.empty()) {
      backups_ = MakeBackups(*store_, std::move(backup_options), RealClock());
      backup_runner_ = std::make_unique<BackupRunner>(*backups_, ToMillis(config.backup().every()),
                                                      RealClock(), *telemetry_);
    }
    telemetry_->SetGauges([this] { return ReadGauges(); });

    ApiServerOptions api_options;
    api_options.listen = config.grpc().listen();
    api_options.version = version;
    api_options.storage_format = kStorageFormat;
    api_options.gateway = &gateway_;
    api_options.tools = tools_.get();
    api_options.backups = backup_runner_.get();
    api_options.egress_addresses = PublishedAddresses(config.egress());
    api_options.auth = MakeAuth(config.auth());
    api_options.tls = MakeTls(config.grpc().tls());
    ASSIGN_OR_RETURN(api_, ApiServer::Start(api_options, *engine_, *telemetry_, RealClock()));

    RETURN_IF_ERROR(SayHowToGetAToken());
    rest_.Open(api_options.auth, *engine_, tools_.get(), *telemetry_, RealClock());
    if (transport_options.insecure_skip_tls_verification) {
      telemetry_->Warn(
          "transport.insecure",
          "transport.insecure_skip_tls_verification is on: whoever is on the way reads and answers");
    }
    readiness_.Set();
    telemetry_->Info("hookd.ready", absl::StrCat("version ", version, ", grpc ", api_->address(), ", http ",
                                                 http_->address()));
    return absl::OkStatus();
  }

  void Stop() {
    readiness_.Clear("shutting down");
    if (api_ != nullptr) {
      telemetry_->Info("hookd.draining", "intake has ended");
      api_->StopIntake();
    }
    rest_.Close();
    if (mailer_ != nullptr) mailer_->Stop();
    if (backup_runner_ != nullptr) backup_runner_->Stop();
    if (engine_ != nullptr) {
      engine_->Drain(FromProto(config_.shutdown().deadline()));
      if (api_ != nullptr) api_->Shutdown(kAnswerTime);
      telemetry_->SetGauges(nullptr);
      engine_->Stop();
    }
    mailer_.reset();
    api_.reset();
    backup_runner_.reset();
    backups_.reset();
    if (tools_ != nullptr) tools_->Stop();
    http_.reset();
    engine_.reset();
    tools_.reset();
    store_.reset();
    if (telemetry_ != nullptr) telemetry_->Info("hookd.stopped", "the store is closed");
    telemetry_.reset();
  }

  void Reload(const absl::StatusOr<config::v1::Config>& config) {
    if (!config.ok()) {
      telemetry_->Error("config.refused", absl::StrCat("nothing has changed: ", config.status().message()));
      return;
    }
    std::vector<std::string> changed;
    std::vector<std::string> later;
    for (const ChangedKey& key : ChangedKeys(config_, *config)) {
      (key.reload ? changed : later).push_back(key.key);
    }
    // What needs a restart stays as it is, so that the next reload says so again.
    *config_.mutable_retention() = config->retention();
    config_.mutable_storage()->set_disk_high_percent(config->storage().disk_high_percent());
    config_.mutable_storage()->set_disk_low_percent(config->storage().disk_low_percent());
    *config_.mutable_shutdown() = config->shutdown();
    config_.mutable_log()->set_level(config->log().level());
    config::v1::Egress egress = config->egress();
    egress.set_proxy(config_.egress().proxy());
    *egress.mutable_source_addresses() = config_.egress().source_addresses();
    *egress.mutable_published_addresses() = config_.egress().published_addresses();
    *config_.mutable_egress() = std::move(egress);
    egress_->Set(MakeEgress(config_.egress()));
    engine_->Tune(MakeTunables(config_));
    if (!telemetry_->ReopenLog(config_.log().level())) {
      telemetry_->Error("log.file", "cannot be opened anew: the log goes on in the old one");
    }
    if (!changed.empty()) NoteReload(changed);
    telemetry_->Info("config.reloaded",
                     changed.empty() ? "nothing has changed" : absl::StrJoin(changed, ", "));
    if (!later.empty()) {
      telemetry_->Warn("config.restart",
                       absl::StrCat("act from the next start on: ", absl::StrJoin(later, ", ")));
    }
  }

  // The shards never block. The committer may, on a slow disk, and a restart would not help it.
  bool Alive() {
    const uint64_t surveys = engine_->Surveys();
    const bool alive = surveys > surveys_;
    surveys_ = surveys;
    engine_->Survey();
    return alive;
  }

  const std::string& grpc_address() const { return api_->address(); }
  const std::string& http_address() const { return http_->address(); }

 private:
  absl::Status SayHowToGetAToken() {
    if (!config_.auth().required()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool found, HasOperatorToken(*store_, RealClock().Wall()));
    if (found) return absl::OkStatus();
    static constexpr char kHow[] =
        "every call needs a token, and there is none of role operator: stop hookd, run it as the same user "
        "with the same configuration and --make-operator-token, which prints one, and start it again";
    telemetry_->Warn("auth.no_token", kHow);
    std::fprintf(stderr, "hookd: %s\n", kHow);
    return absl::OkStatus();
  }

  // Mails are about the events of hookd.operations. Without mails their cursor is forgotten: turned on again
  // they begin with what happens from then on.
  absl::Status StartMail(std::optional<AlertMail> mail) {
    if (!mail) return engine_->MailCursor().empty() ? absl::OkStatus() : engine_->SaveMailCursor("");
    Subscriber operations;
    operations.id = std::string(kOperationsSubscriber);
    operations.name = "hookd itself";
    const Acting acting(OwnOrigin("alerts"));
    const absl::Status made = engine_->CreateSubscriber(operations).status();
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
    mailer_ =
        std::make_unique<Mailer>(std::move(mail->mail), std::move(mail->templates),
                                 MakeSmtpSender(std::move(mail->smtp)), *engine_, RealClock(), *telemetry_);
    return absl::OkStatus();
  }

  // Whoever may write the file and signal the process did it.
  void NoteReload(const std::vector<std::string>& changed) {
    AuditOrigin origin;
    origin.actor = std::string(kLocalActor);
    origin.call = "SIGHUP";
    const Acting acting(std::move(origin));
    const absl::Status noted =
        engine_->NoteAudit({"configuration",
                            "",
                            "",
                            "",
                            absl::StrCat("{\"changed\":[\"", absl::StrJoin(changed, "\",\""), "\"]}"),
                            {}});
    if (!noted.ok()) telemetry_->Error("audit", std::string(noted.message()));
  }

  void StartProber() {
    Prober::Hooks hooks;
    hooks.enable = [this](const Endpoint& probed) {
      static constexpr char kNote[] = "a probe succeeded";
      const Acting acting(OwnOrigin("probe", kNote));
      return engine_->EnableProbed(probed, kNote).status();
    };
    hooks.may_send = [this] { return !engine_->Status().operations.paused; };
    hooks.done = [this](ErrorKind error) { telemetry_->ProbeDone(error); };
    tools_->prober().Start(std::move(hooks), engine_->Status().endpoints_disabled > 0);
    tools_->prober().Run();
  }
  Gauges ReadGauges() {
    const EngineStatus status = engine_->Status();
    Gauges gauges;
    gauges.now_ms = RealClock().Wall();
    gauges.ready = readiness_.Check().ok();
    gauges.max_attempts_in_flight = max_in_flight_;
    gauges.max_intake_bytes = max_intake_bytes_;
    if (const absl::StatusOr<DiskSpace> disk = store_->Disk(); disk.ok()) {
      gauges.disk_size_bytes = disk->total_bytes;
      gauges.disk_free_bytes = disk->free_bytes;
    }
    gauges.lanes = engine_->Survey();
    gauges.database = ReadDatabase();
    gauges.pending_deliveries = status.store.pending;
    gauges.attempts_in_flight = status.attempts_in_flight;
    gauges.endpoints = status.endpoints;
    gauges.endpoints_disabled = status.endpoints_disabled;
    gauges.endpoints_paused = status.endpoints_paused;
    gauges.subscribers = status.subscribers;
    gauges.intake_bytes = status.intake_bytes;
    gauges.bytes_on_disk = status.store.bytes_on_disk;
    gauges.jobs_running = status.jobs_running;
    if (mailer_ != nullptr) gauges.alert_mail_backlog = mailer_->backlog();
    if (backup_runner_ != nullptr) gauges.backup = backup_runner_->ReadGauges();
    gauges.certificates = status.certificates;
    gauges.paused = status.operations.paused;
    gauges.clock_suspect = status.operations.clock_suspect;
    gauges.intake_held = !status.intake_closed.empty();
    gauges.auto_disable_suspended = status.auto_disable_suspended;
    return gauges;
  }

  void TellSecrets() {
    const SecretKeyIds ids = store_->Secrets();
    if (ids.newest == 0) {
      telemetry_->Warn(
          "secrets.clear",
          "signing keys, secret headers and URLs are stored in clear: no secrets.key_file, key_env or "
          "credential is configured");
    } else {
      telemetry_->Info("secrets.sealed", absl::StrCat("under key ", KeyIdText(ids.newest)));
    }
    for (const uint32_t id : ids.old) {
      telemetry_->Warn("secrets.old_key",
                       absl::StrCat("key ", KeyIdText(id), " is still needed: run hookctl secrets rekey"));
    }
    for (const std::string& path : OpenKeyFiles(config_.secrets())) {
      telemetry_->Warn("secrets.mode", absl::StrCat(path, ": others may read this key: chmod 600"));
    }
  }

  DatabaseGauges ReadDatabase() const {
    const DatabaseStats stats = store_->Database();
    DatabaseGauges gauges;
    gauges.stalled = store_->Stalled();
    gauges.stalls = stats.stalls;
    gauges.background_errors = stats.background_errors;
    gauges.pending_compaction_bytes = stats.pending_compaction_bytes;
    gauges.running_compactions = stats.running_compactions;
    gauges.running_flushes = stats.running_flushes;
    gauges.memtable_bytes = stats.memtable_bytes;
    gauges.block_cache_bytes = stats.block_cache_bytes;
    gauges.table_reader_bytes = stats.table_reader_bytes;
    gauges.table_files = stats.table_files;
    gauges.blob_files = stats.blob_files;
    gauges.blob_garbage_bytes = stats.blob_garbage_bytes;
    return gauges;
  }

  // The store can no longer say what it holds. Nothing is taken apart: no part may write again.
  [[noreturn]] void Die(const absl::Status& status) {
    readiness_.Clear("the store failed");
    telemetry_->Fatal("hookd.fatal", std::string(status.message()));
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (poll(&ready, 1, kLastWordsMs) != 1) _exit(kExitFatal);  // nobody reads it: that must not hold us up
    std::fprintf(stderr, "hookd: the store failed, restarting: %s\n", status.ToString().c_str());
    _exit(kExitFatal);
  }

  config::v1::Config config_;  // as it acts
  uint64_t surveys_ = 0;       // of Alive
  uint64_t max_in_flight_ = 0;
  uint64_t max_intake_bytes_ = 0;
  std::shared_ptr<EgressPolicy> egress_;
  Readiness readiness_;
  std::unique_ptr<Telemetry> telemetry_;
  Gateway gateway_;
  BinStore bins_{RealClock()};
  ProviderRest rest_;
  std::unique_ptr<HttpPort> http_;
  std::unique_ptr<DeliveryStore> store_;
  std::unique_ptr<const ToolRules> rules_;
  std::unique_ptr<Toolbox> tools_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Mailer> mailer_;
  std::unique_ptr<Backups> backups_;
  std::unique_ptr<BackupRunner> backup_runner_;
  std::unique_ptr<ApiServer> api_;
};

absl::StatusOr<std::unique_ptr<Application>> Application::Start(const config::v1::Config& config,
                                                                const std::string& version) {
  auto impl = std::make_unique<Impl>();
  RETURN_IF_ERROR(impl->Start(config, version));
  return std::unique_ptr<Application>(new Application(std::move(impl)));
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Application::~Application() = default;

const std::string& Application::grpc_address() const { return impl_->grpc_address(); }
const std::string& Application::http_address() const { return impl_->http_address(); }
void Application::Reload(const absl::StatusOr<config::v1::Config>& config) { impl_->Reload(config); }
bool Application::Alive() { return impl_->Alive(); }
void Application::Stop() { impl_->Stop(); }

}  // namespace hookd
