// The options that describe an endpoint, for `endpoints create` and `endpoints update`: one option per path
// of the update mask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/authorization_flags.h"
#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

struct EndpointFlags {
  std::string id;
  std::string subscriber;
  std::string reason;
  int64_t limit = 100;
  bool yes = false;
  bool require_verification = false;

  std::optional<std::string> url;
  std::optional<std::string> description;
  std::vector<std::string> event_types;
  std::vector<std::string> channels;
  std::vector<std::string> headers;
  std::vector<std::string> secret_headers;
  std::optional<std::string> signing_secret_file;
  std::optional<std::string> mode;
  std::optional<uint32_t> max_in_flight;
  std::optional<std::string> timeout;
  std::vector<std::string> success;
  std::optional<uint32_t> max_retries;
  std::optional<std::string> backoff;
  std::optional<std::string> rate_limit;
  std::optional<std::string> retry_after_max;
  std::optional<uint32_t> alert_after;
  std::optional<std::string> disable_after;
  std::optional<std::string> disable_on_gone;
  std::optional<uint64_t> backlog;
  std::optional<std::string> http;
  std::optional<std::string> keep_bodies;
  std::optional<std::string> disable_on_429;
  std::vector<std::string> batch;
  std::optional<uint32_t> batch_members;
  std::optional<std::string> batch_linger;
  std::optional<std::string> coalesce;
  std::optional<std::string> mail_subscriber;
  std::optional<std::string> auto_probe;
  std::vector<std::string> settings;
  std::optional<std::string> tls_ca_file;
  std::vector<std::string> tls_pinned_keys;
  std::optional<std::string> tls_client_certificate_file;
  std::optional<std::string> tls_client_key_file;
  AuthorizationFlags authorization;
  std::optional<std::string> profile;  // create alone
  bool show_query = false;             // get and list
  std::vector<std::string> reset;
};

void AddEndpointOptions(CLI::App& command, EndpointFlags& flags);

// Sets what the options give. Returns what is wrong with them; empty = nothing.
std::string FillEndpoint(const EndpointFlags& flags, v1::Endpoint& endpoint);

// The update mask's paths for the options that were given, and those to reset.
std::vector<std::string> MaskPaths(const EndpointFlags& flags);

}  // namespace hookd::cli
