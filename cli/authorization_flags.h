// The options for what an endpoint's requests carry in Authorization.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "hookd/v1/endpoint_service.pb.h"

namespace hookd::cli {

struct AuthorizationFlags {
  std::optional<std::string> basic_user;
  std::optional<std::string> basic_password_file;
  std::optional<std::string> token_url;
  std::optional<std::string> client_id;
  std::optional<std::string> client_secret_file;
  std::vector<std::string> scopes;
  std::optional<std::string> audience;
  bool secret_in_body = false;
};

void AddAuthorizationOptions(CLI::App& command, AuthorizationFlags& flags);

bool GivesAuthorization(const AuthorizationFlags& flags);

// Sets what the options give. Returns what is wrong with them; empty = nothing.
std::string FillAuthorization(const AuthorizationFlags& flags, v1::Endpoint& endpoint);

}  // namespace hookd::cli
