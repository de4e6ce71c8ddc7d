#include "cli/endpoint_flags.h"

#include <absl/strings/ascii.h>
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
    const std::optional<std::string> value = ReadFile(path);
    if (!value) return absl::StrCat("cannot read ", path);
    header->set_value(std::string(absl::StripTrailingAsciiWhitespace(*value)));
  }
  header->set_secret(secret);
  *endpoint.add_headers() = *std::move(header);
  return "";
}

std::string FillPolicy(const EndpointFlags& flags, v1::DeliveryPolicy& policy) {
  if (flags.mode) {
    policy.set_mode(*flags.mode == "parallel" ? v1::DELIVERY_MODE_PARALLEL : v1::DELIVERY_MODE_ORDERED);
  }
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
    if (!backoff) return "--backoff is STEP:CAP[:JITTER], such as 15s:15m:0.1";
    *policy.mutable_backoff() = *backoff;
  }
  if (flags.rate_limit) {
    const auto rate = ParseRateLimit(*flags.rate_limit);
    if (!rate) return "--rate-limit is PER_SECOND[:BURST], such as 5:5; 0 = none";
    *policy.mutable_rate_limit() = *rate;
  }
  return "";
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
  command.add_option("--mode", flags.mode, "ordered or parallel")
      ->check(CLI::IsMember({"ordered", "parallel"}));
  command.add_option("--max-in-flight", flags.max_in_flight, "attempts at once, in parallel mode");
  command.add_option("--timeout", flags.timeout, "of an attempt, such as 30s");
  command.add_option("--success", flags.success, "status codes such as 200-209; repeat it");
  command.add_option("--max-retries", flags.max_retries, "after the first attempt");
  command.add_option("--backoff", flags.backoff, "STEP:CAP[:JITTER], such as 15s:15m:0.1");
  command.add_option("--rate-limit", flags.rate_limit, "PER_SECOND[:BURST], such as 5:5; 0 = none");
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
    const auto secret = ReadFile(*flags.signing_secret_file);
    if (!secret) return absl::StrCat("cannot read ", *flags.signing_secret_file);
    endpoint.set_signing_secret(std::string(absl::StripAsciiWhitespace(*secret)));
  }
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
  return paths;
}

}  // namespace hookd::cli
