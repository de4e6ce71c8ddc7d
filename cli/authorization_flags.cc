#include "cli/authorization_flags.h"

#include "cli/parse.h"

namespace hookd::cli {
namespace {

bool GivesOAuth2(const AuthorizationFlags& flags) {
  return flags.token_url || flags.client_id || flags.client_secret_file || !flags.scopes.empty() ||
         flags.audience || flags.secret_in_body;
}

std::string ReadInto(const std::optional<std::string>& path, std::string& text) {
  if (!path) return "";
  absl::StatusOr<std::string> read = ReadSecret(*path);
  if (!read.ok()) return std::string(read.status().message());
  text = *std::move(read);
  return "";
}

}  // namespace

void AddAuthorizationOptions(CLI::App& command, AuthorizationFlags& flags) {
  command.add_option("--basic-user", flags.basic_user,
                     "HTTP Basic; update: all --basic-... or all --oauth2-... together");
  command.add_option(
      "--basic-password-file", flags.basic_password_file,
      "its password, never shown again; - = standard input; without it, update keeps the stored one");
  command.add_option("--oauth2-token-url", flags.token_url, "OAuth 2.0 client credentials: the token server");
  command.add_option("--oauth2-client-id", flags.client_id, "who hookd is to the token server");
  command.add_option(
      "--oauth2-client-secret-file", flags.client_secret_file,
      "its secret, never shown again; - = standard input; without it, update keeps the stored one");
  command.add_option("--oauth2-scope", flags.scopes, "that the token is asked for; repeat it");
  command.add_option("--oauth2-audience", flags.audience, "that the token is asked for");
  command.add_flag("--oauth2-secret-in-body", flags.secret_in_body,
                   "the token server takes id and secret in the form, not by HTTP Basic");
}

bool GivesAuthorization(const AuthorizationFlags& flags) {
  return flags.basic_user || flags.basic_password_file || GivesOAuth2(flags);
}

std::string FillAuthorization(const AuthorizationFlags& flags, v1::Endpoint& endpoint) {
  if (flags.basic_user || flags.basic_password_file) {
    if (GivesOAuth2(flags)) return "give --basic-... or --oauth2-..., not both";
    if (!flags.basic_user) return "give --basic-user with --basic-password-file";
    v1::Basic& basic = *endpoint.mutable_authorization()->mutable_basic();
    basic.set_user(*flags.basic_user);
    return ReadInto(flags.basic_password_file, *basic.mutable_password());
  }
  if (!GivesOAuth2(flags)) return "";
  if (!flags.token_url || !flags.client_id) {
    return "give --oauth2-token-url and --oauth2-client-id with the other --oauth2-... options";
  }
  v1::OAuth2& oauth2 = *endpoint.mutable_authorization()->mutable_oauth2();
  oauth2.set_token_url(*flags.token_url);
  oauth2.set_client_id(*flags.client_id);
  for (const std::string& scope : flags.scopes) oauth2.add_scopes(scope);
  oauth2.set_audience(flags.audience.value_or(""));
  oauth2.set_secret_in_body(flags.secret_in_body);
  return ReadInto(flags.client_secret_file, *oauth2.mutable_client_secret());
}

}  // namespace hookd::cli
