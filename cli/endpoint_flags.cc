#include "cli/endpoint_flags.h"

#include <absl/strings/str_cat.h>

#include "cli/parse.h"

namespace hookd::cli {
namespace {

// "Name: value", or "Name: @FILE" to keep a secret off the command line, which others on the machine can
// read.
std::string AddHeader(const std::string& text, bool secret, v1::Endpoint& endpoint) {
  std::optional<v1::Header> header = ParseHeader(text);
  if (!header) return "a header is \"Name: value\"";
  if (secret && header->value().substr(0, 1) == "@") {
    const std::string path = header->value().substr(1);
    const absl::StatusOr<std::string> value = ReadSecret(path);
    if (!value.ok()) return std::string(value.status().message());
    header->set_value(*value);
  }
  header->set_secret(secret);
  *endpoint.add_headers() = *std::move(header);
  return "";
}

v1::DeliveryMode ModeOf(const std::string& text) {
  if (text == "parallel") return v1::DELIVERY_MODE_PARALLEL;
  return text == "keyed" ? v1::DELIVERY_MODE_KEYED : v1::DELIVERY_MODE_ORDERED;
}

// What auto_disable, alerts and the rest of the policy's own bounds are.
std::string FillReactions(const EndpointFlags& flags, v1::DeliveryPolicy& policy) {
  if (flags.retry_after_max) {
    const auto most = ParseDuration(*flags.retry_after_max);
    if (!most) return "--retry-after-max is such as 1h; 0s = Retry-After is ignored";
    *policy.mutable_retry_after_max() = *most;
  }
  if (flags.alert_after) policy.set_alert_after(*flags.alert_after);
  if (flags.disable_after) {
    const auto disable = ParseAutoDisable(*flags.disable_after);
    if (!disable) return "--disable-after is FAILURES:SPAN, such as 60:1h, or never";
    *policy.mutable_auto_disable() = *disable;
  }
  if (flags.disable_on_gone) policy.mutable_auto_disable()->set_on_gone(*flags.disable_on_gone == "yes");
  if (flags.disable_on_429) policy.mutable_auto_disable()->set_count_429(*flags.disable_on_429 == "yes");
  if (flags.auto_probe) {
    const auto probe = ParseAutoProbe(*flags.auto_probe);
    if (!probe) return "--auto-probe is FIRST[:CAP], such as 5m:1h, or never";
    *policy.mutable_auto_probe() = *probe;
  }
  if (flags.backlog) policy.set_backlog(*flags.backlog);
  if (flags.http) policy.set_http_version(*flags.http == "2" ? v1::HTTP_VERSION_2 : v1::HTTP_VERSION_1_1);
  if (flags.keep_bodies) {
    policy.set_kept_bodies(*flags.keep_bodies == "all" ? v1::KEPT_BODIES_ALL : v1::KEPT_BODIES_FAILURES);
  }
  return "";
}

// Batches, and what goes to whom.
std::string FillBatch(const EndpointFlags& flags, v1::DeliveryPolicy& policy) {
  for (const std::string& type : flags.batch) {
    policy.mutable_batch();
    if (type != "none") policy.mutable_batch()->add_event_types(type);
  }
  if (flags.batch_members) policy.mutable_batch()->set_max_members(*flags.batch_members);
  if (flags.batch_linger) {
    const auto linger = ParseDuration(*flags.batch_linger);
    if (!linger) return "--batch-linger is such as 1s";
    *policy.mutable_batch()->mutable_linger() = *linger;
  }
  if (policy.has_batch() && flags.batch.empty())
    return "give --batch, with --batch-members and --batch-linger";
  if (flags.coalesce) policy.set_coalesce(*flags.coalesce == "yes");
  if (flags.mail_subscriber) policy.set_mail_subscriber(*flags.mail_subscriber == "yes");
  return "";
}

bool GivesTls(const EndpointFlags& flags) {
  return flags.tls_ca_file || !flags.tls_pinned_keys.empty() || flags.tls_client_certificate_file ||
         flags.tls_client_key_file;
}

std::string FillTls(const EndpointFlags& flags, v1::Endpoint& endpoint) {
  if (!GivesTls(flags)) return "";
  v1::Tls& tls = *endpoint.mutable_tls();
  const auto fill = [](const std::optional<std::string>& path, std::string& text) -> std::string {
    if (!path) return "";
    absl::StatusOr<std::string> read = ReadFile(*path);
    if (!read.ok()) return std::string(read.status().message());
    text = *std::move(read);
    return text.empty() ? absl::StrCat(*path, " is empty") : "";
  };
  for (const std::string& key : flags.tls_pinned_keys) tls.add_pinned_keys(key);
  if (std::string wrong = fill(flags.tls_ca_file, *tls.mutable_ca_pem()); !wrong.empty()) return wrong;
  if (std::string wrong = fill(flags.tls_client_certificate_file, *tls.mutable_client_certificate_pem());
      !wrong.empty()) {
    return wrong;
  }
  return fill(flags.tls_client_key_file, *tls.mutable_client_key_pem());
}

std::string FillPolicy(const EndpointFlags& flags, v1::DeliveryPolicy& policy) {
  if (flags.mode) policy.set_mode(ModeOf(*flags.mode));
  if (flags.max_in_flight) policy.set_max_in_flight(*flags.max_in_flight);
  if (flags.timeout) {
    const auto timeout = ParseDuration(*flags.timeout);
    if (!timeout) return "--timeout is such as 30s";
    *policy.mutable_timeout() = *timeout;
  }
  for (const std::string& text : flags.success) {
    const auto range = ParseStatusRange(text);
    if (!range) return "--success is such as 200-209";
    *policy.add_success_codes() = *range;
  }
  if (flags.max_retries) policy.set_max_retries(*flags.max_retries);
  if (flags.backoff) {
    const auto backoff = ParseBackoff(*flags.backoff);
    if (!backoff) {
      return "--backoff is linear:STEP:CAP, fixed:STEP, exponential:STEP:CAP:FACTOR or schedule:WAIT,WAIT, "
             "with "
             ":JITTER or without, such as linear:15s:15m:0.1; :exact behind it = the first retry has none";
    }
    *policy.mutable_backoff() = *backoff;
  }
  if (flags.rate_limit) {
    const auto rate = ParseRateLimit(*flags.rate_limit);
    if (!rate) return "--rate-limit is PER_SECOND[:BURST][:member], such as 5:5; 0 = none";
    *policy.mutable_rate_limit() = *rate;
  }
  if (std::string wrong = FillBatch(flags, policy); !wrong.empty()) return wrong;
  return FillReactions(flags, policy);
}

}  // namespace

void AddEndpointOptions(CLI::App& command, EndpointFlags& flags) {
  command.add_option("--url", flags.url, "http or https");
  command.add_option("--description", flags.description, "for people");
  command.add_option("--event-type", flags.event_types,
                     "a type, or a prefix such as \"message:*\"; repeat it");
  command.add_option("--channel", flags.channels, "a channel; repeat it");
  command.add_option("--header", flags.headers, "\"Name: value\"; repeat it");
  command.add_option(
      "--secret-header", flags.secret_headers,
      "\"Name: value\" or \"Name: @FILE\": never shown again; without a value, update keeps it");
  command.add_option("--signing-secret-file", flags.signing_secret_file,
                     "holds \"whsec_\" and base64; - = standard input");
  command.add_option("--mode", flags.mode, "ordered, keyed (ordered per ordering key) or parallel")
      ->check(CLI::IsMember({"ordered", "keyed", "parallel"}));
  command.add_option("--max-in-flight", flags.max_in_flight, "attempts at once, in keyed and parallel mode");
  command.add_option("--timeout", flags.timeout, "of an attempt, such as 30s");
  command.add_option("--success", flags.success, "status codes such as 200-209; repeat it");
  command.add_option("--max-retries", flags.max_retries, "after the first attempt");
  command.add_option("--backoff", flags.backoff,
                     "linear:15s:15m, fixed:15s, exponential:1s:1h:2 or schedule:5s,5m,30m; :0.1 behind it "
                     "is the jitter, :exact behind that leaves it out of the first retry");
  command.add_option("--rate-limit", flags.rate_limit,
                     "PER_SECOND[:BURST], such as 5:5; 0 = none; :member behind it counts a batch's members");
  command.add_option("--retry-after-max", flags.retry_after_max,
                     "Retry-After is honoured up to this, such as 1h; 0s = ignored");
  command.add_option("--alert-after", flags.alert_after, "failures in a row; 0 = no alert");
  command.add_option("--disable-after", flags.disable_after,
                     "FAILURES:SPAN, such as 60:1h, or never; update: with --disable-on-gone");
  command
      .add_option("--disable-on-gone", flags.disable_on_gone,
                  "whether status 410 disables at once: yes or no; update: with --disable-after")
      ->check(CLI::IsMember({"yes", "no"}));
  command
      .add_option("--disable-on-429", flags.disable_on_429,
                  "whether status 429 counts as a failure: yes or no; update: with --disable-after")
      ->check(CLI::IsMember({"yes", "no"}));
  command.add_option("--batch", flags.batch,
                     "a type, or a prefix, whose deliveries go out as arrays; repeat it; none = off");
  command.add_option("--batch-members", flags.batch_members, "at most so many in one; with --batch");
  command.add_option("--batch-linger", flags.batch_linger,
                     "how long one waits for more, such as 1s; with --batch");
  command
      .add_option("--coalesce", flags.coalesce,
                  "whether a newer event supersedes a pending one with its coalesce key: yes or no")
      ->check(CLI::IsMember({"yes", "no"}));
  command
      .add_option("--mail-subscriber", flags.mail_subscriber,
                  "whether alerts go to the subscriber's addresses: yes or no")
      ->check(CLI::IsMember({"yes", "no"}));
  command.add_option("--auto-probe", flags.auto_probe,
                     "FIRST[:CAP], such as 5m:1h: a disabled endpoint is tried again by itself; or never");
  command.add_option(
      "--setting", flags.settings,
      "of its profile: NAME=on or NAME=off; repeat it; update: those not given take their default");
  command.add_option("--tls-ca-file", flags.tls_ca_file,
                     "PEM: what this CA issued is trusted, and nothing else; update: all --tls-... together");
  command.add_option("--tls-pinned-key", flags.tls_pinned_keys,
                     "sha256//BASE64 of a public key that the receiver may have; repeat it");
  command.add_option("--tls-client-certificate-file", flags.tls_client_certificate_file,
                     "PEM: shown to the receiver");
  command.add_option("--tls-client-key-file", flags.tls_client_key_file,
                     "PEM: its key, never shown again; without it, update keeps the stored one");
  AddAuthorizationOptions(command, flags.authorization);
  command.add_option("--backlog", flags.backlog, "deliveries that may be pending; 0 = as the disk allows");
  command.add_option("--http", flags.http, "version: 1.1 or 2")->check(CLI::IsMember({"1.1", "2"}));
  command.add_option("--keep-bodies", flags.keep_bodies, "of responses: failures or all")
      ->check(CLI::IsMember({"failures", "all"}));
}

std::string FillEndpoint(const EndpointFlags& flags, v1::Endpoint& endpoint) {
  if (flags.url) endpoint.set_url(*flags.url);
  if (flags.description) endpoint.set_description(*flags.description);
  for (const std::string& type : flags.event_types) endpoint.add_event_types(type);
  for (const std::string& channel : flags.channels) endpoint.add_channels(channel);
  for (const std::string& header : flags.headers) {
    if (std::string wrong = AddHeader(header, false, endpoint); !wrong.empty()) return wrong;
  }
  for (const std::string& header : flags.secret_headers) {
    if (std::string wrong = AddHeader(header, true, endpoint); !wrong.empty()) return wrong;
  }
  if (flags.signing_secret_file) {
    const absl::StatusOr<std::string> secret = ReadSecret(*flags.signing_secret_file);
    if (!secret.ok()) return std::string(secret.status().message());
    endpoint.set_signing_secret(*secret);
  }
  if (flags.profile) endpoint.set_profile(*flags.profile);
  for (const std::string& text : flags.settings) {
    const auto setting = ParseSetting(text);
    if (!setting) return "--setting is NAME=on or NAME=off";
    (*endpoint.mutable_settings())[setting->first] = setting->second;
  }
  if (std::string wrong = FillTls(flags, endpoint); !wrong.empty()) return wrong;
  if (std::string wrong = FillAuthorization(flags.authorization, endpoint); !wrong.empty()) return wrong;
  return FillPolicy(flags, *endpoint.mutable_policy());
}

std::vector<std::string> MaskPaths(const EndpointFlags& flags) {
  std::vector<std::string> paths = flags.reset;
  const auto add = [&paths](bool given, const char* path) {
    if (given) paths.emplace_back(path);
  };
  add(flags.url.has_value(), "url");
  add(flags.description.has_value(), "description");
  add(!flags.event_types.empty(), "event_types");
  add(!flags.channels.empty(), "channels");
  add(!flags.headers.empty() || !flags.secret_headers.empty(), "headers");
  add(flags.signing_secret_file.has_value(), "signing_secret");
  add(flags.mode.has_value(), "policy.mode");
  add(flags.max_in_flight.has_value(), "policy.max_in_flight");
  add(flags.timeout.has_value(), "policy.timeout");
  add(!flags.success.empty(), "policy.success_codes");
  add(flags.max_retries.has_value(), "policy.max_retries");
  add(flags.backoff.has_value(), "policy.backoff");
  add(flags.rate_limit.has_value(), "policy.rate_limit");
  add(flags.retry_after_max.has_value(), "policy.retry_after_max");
  add(flags.alert_after.has_value(), "policy.alert_after");
  add(flags.disable_after.has_value() || flags.disable_on_gone.has_value() ||
          flags.disable_on_429.has_value(),
      "policy.auto_disable");
  add(flags.backlog.has_value(), "policy.backlog");
  add(flags.http.has_value(), "policy.http_version");
  add(flags.keep_bodies.has_value(), "policy.kept_bodies");
  add(!flags.batch.empty(), "policy.batch");
  add(flags.coalesce.has_value(), "policy.coalesce");
  add(flags.mail_subscriber.has_value(), "policy.mail_subscriber");
  add(flags.auto_probe.has_value(), "policy.auto_probe");
  add(!flags.settings.empty(), "settings");
  add(GivesTls(flags), "tls");
  add(GivesAuthorization(flags.authorization), "authorization");
  return paths;
}

}  // namespace hookd::cli
