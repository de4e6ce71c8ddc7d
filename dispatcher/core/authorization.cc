#include "dispatcher/core/authorization.h"

#include <algorithm>
#include <optional>

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <boost/json/parse.hpp>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/core/text_rules.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

constexpr std::string_view kBasic = "authorization.basic.";
constexpr std::string_view kOAuth2 = "authorization.oauth2.";

// Of RFC 6749, 5.2: what else a server says may be anything, and the client's secret too.
constexpr std::string_view kKnownErrors[] = {
    "invalid_request", "invalid_client",         "invalid_grant",          "unauthorized_client",
    "invalid_scope",   "unsupported_grant_type", "temporarily_unavailable"};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsVisible(char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); }
bool IsPrintable(char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); }

absl::Status CheckSize(std::string_view field, std::string_view text, size_t most) {
  if (!text.empty() && text.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(Concat(field, ": is ", text.size(), " bytes long, use 1 to ", most));
}

absl::Status CheckSecret(std::string_view field, std::string_view text, std::string_view kept_with) {
  if (!text.empty()) return CheckSize(field, text, kMaxCredentialSecretBytes);
  return absl::InvalidArgumentError(Concat(field,
                                           ": is missing: give it (an update keeps the stored one where ",
                                           kept_with, " stay as they are)"));
}

absl::Status CheckBasic(const BasicCredentials& basic) {
  const std::string user = Concat(kBasic, "user");
  RETURN_IF_ERROR(CheckSize(user, basic.user, kMaxCredentialNameBytes));
  RETURN_IF_ERROR(CheckText(user, basic.user, kMaxCredentialNameBytes));
  if (basic.user.find(':') != std::string::npos) {
    return absl::InvalidArgumentError(Concat(user, ": holds a colon, which HTTP Basic does not allow"));
  }
  const std::string password = Concat(kBasic, "password");
  RETURN_IF_ERROR(CheckSecret(password, basic.password, "kind and user"));
  return CheckText(password, basic.password, kMaxCredentialSecretBytes);
}

absl::Status CheckPrintable(std::string_view field, std::string_view text) {
  if (std::all_of(text.begin(), text.end(), IsPrintable)) return absl::OkStatus();
  return absl::InvalidArgumentError(Concat(field, ": holds a control or non-ASCII character, remove it"));
}

absl::Status CheckScopes(const std::vector<std::string>& scopes) {
  const std::string field = Concat(kOAuth2, "scopes");
  if (scopes.size() > kMaxScopes) {
    return absl::InvalidArgumentError(
        Concat(field, ": there are ", scopes.size(), ", use at most ", kMaxScopes));
  }
  for (size_t i = 0; i < scopes.size(); ++i) {
    const std::string one = Concat(field, "[", i, "]");
    RETURN_IF_ERROR(CheckSize(one, scopes[i], kMaxScopeBytes));
    const bool good = std::all_of(scopes[i].begin(), scopes[i].end(),
                                  [](char c) { return IsVisible(c) && c != '"' && c != '\\'; });
    if (!good) {
      return absl::InvalidArgumentError(Concat(
          one, ": is not visible ASCII without quotes, backslashes and spaces; give each scope by itself"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTokenUrl(const std::string& token_url, const std::string& url) {
  if (absl::Status bad = ParseUrl(token_url).status(); !bad.ok()) {
    return absl::InvalidArgumentError(
        Concat(kOAuth2, "token_", std::string_view(bad.message().data(), bad.message().size())));
  }
  if (token_url.find('?') != std::string::npos) {
    return absl::InvalidArgumentError(
        Concat(kOAuth2, "token_url: has a query, where keys are put that reads would show: leave it out"));
  }
  if (absl::StartsWithIgnoreCase(url, "https:") && !absl::StartsWithIgnoreCase(token_url, "https:")) {
    return absl::InvalidArgumentError(
        Concat(kOAuth2, "token_url: is http, and the endpoint's url is https: use https"));
  }
  return absl::OkStatus();
}

absl::Status CheckOAuth2(const OAuth2Credentials& oauth2, const std::string& url) {
  RETURN_IF_ERROR(CheckTokenUrl(oauth2.token_url, url));
  const std::string client_id = Concat(kOAuth2, "client_id");
  RETURN_IF_ERROR(CheckSize(client_id, oauth2.client_id, kMaxCredentialNameBytes));
  RETURN_IF_ERROR(CheckPrintable(client_id, oauth2.client_id));
  const std::string client_secret = Concat(kOAuth2, "client_secret");
  RETURN_IF_ERROR(CheckSecret(client_secret, oauth2.client_secret, "token_url and client_id"));
  RETURN_IF_ERROR(CheckPrintable(client_secret, oauth2.client_secret));
  RETURN_IF_ERROR(CheckScopes(oauth2.scopes));
  const std::string audience = Concat(kOAuth2, "audience");
  if (!oauth2.audience.empty()) RETURN_IF_ERROR(CheckSize(audience, oauth2.audience, kMaxAudienceBytes));
  if (!std::all_of(oauth2.audience.begin(), oauth2.audience.end(), IsVisible)) {
    return absl::InvalidArgumentError(Concat(audience, ": is not visible ASCII"));
  }
  return absl::OkStatus();
}

// application/x-www-form-urlencoded; what is in the set is right in a URL's part too.
std::string FormEncoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._*").find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else if (c == ' ') {
      encoded.push_back('+');
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

std::string BasicOf(std::string_view user, std::string_view password) {
  return Concat("Basic ", absl::Base64Escape(Concat(user, ":", password)));
}

absl::Status NoToken(int status, std::string_view why) {
  return absl::UnavailableError(Concat("the token server answered ", status, why));
}

std::optional<int64_t> Seconds(const boost::json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return INT64_MAX;
  int64_t seconds = 0;  // some servers give text
  if (value.is_string() &&
      absl::SimpleAtoi(absl::string_view(value.get_string().data(), value.get_string().size()), &seconds)) {
    return seconds;
  }
  return std::nullopt;
}

std::string_view TextOf(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

Millis LifetimeOf(const boost::json::object& object) {
  const boost::json::value* value = object.if_contains("expires_in");
  const std::optional<int64_t> seconds = value == nullptr ? std::nullopt : Seconds(*value);
  if (!seconds || *seconds <= 0) return kDefaultTokenLifetime;
  return Millis(std::min(*seconds, kMaxTokenLifetime.count() / 1000) * 1000);
}

}  // namespace

absl::Status CheckAuthorization(const Endpoint& endpoint) {
  const Authorization& authorization = endpoint.authorization;
  if (authorization.basic == nullptr && authorization.oauth2 == nullptr) return absl::OkStatus();
  for (size_t i = 0; i < endpoint.headers.size(); ++i) {
    if (!absl::EqualsIgnoreCase(View(endpoint.headers[i].name), "authorization")) continue;
    return absl::InvalidArgumentError(
        Concat("authorization: is given, and headers[", i, "] is Authorization too: leave one of them out"));
  }
  if (authorization.basic != nullptr) return CheckBasic(*authorization.basic);
  return CheckOAuth2(*authorization.oauth2, endpoint.url);
}

std::string BasicValue(const BasicCredentials& basic) { return BasicOf(basic.user, basic.password); }

TokenRequest MakeTokenRequest(const OAuth2Credentials& oauth2) {
  TokenRequest request;
  request.form = "grant_type=client_credentials";
  if (!oauth2.scopes.empty()) {
    std::string all;
    for (const std::string& scope : oauth2.scopes) all += Concat(all.empty() ? "" : " ", scope);
    request.form += Concat("&scope=", FormEncoded(all));
  }
  if (!oauth2.audience.empty()) request.form += Concat("&audience=", FormEncoded(oauth2.audience));
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}};
  if (oauth2.secret_in_body) {
    request.form += Concat("&client_id=", FormEncoded(oauth2.client_id),
                           "&client_secret=", FormEncoded(oauth2.client_secret));
  } else {
    // RFC 6749, 2.3.1: both are form-encoded first.
    request.headers.emplace_back("Authorization",
                                 BasicOf(FormEncoded(oauth2.client_id), FormEncoded(oauth2.client_secret)));
  }
  return request;
}

absl::StatusOr<AccessGrant> ReadTokenAnswer(int status, std::string_view body, bool truncated) {
  boost::json::error_code error;
  boost::json::value value;
  if (!truncated) value = boost::json::parse({body.data(), body.size()}, error);
  const boost::json::object* object = error ? nullptr : value.if_object();
  if (status != 200) {
    const std::string_view said = object == nullptr ? std::string_view() : TextOf(*object, "error");
    const bool known =
        std::find(std::begin(kKnownErrors), std::end(kKnownErrors), said) != std::end(kKnownErrors);
    return NoToken(status, known ? Concat(" (", said, ")") : "");
  }
  if (truncated) return NoToken(status, ", but its body is too large, or did not end in time");
  if (object == nullptr) return NoToken(status, ", but not with a JSON object");
  const std::string_view type = TextOf(*object, "token_type");
  if (!type.empty() && !absl::EqualsIgnoreCase(View(type), "bearer")) {
    return NoToken(status, ", but with a token_type that is not Bearer");
  }
  const std::string_view token = TextOf(*object, "access_token");
  if (token.empty()) return NoToken(status, ", but without an access_token");
  if (token.size() > kMaxAccessTokenBytes) {
    return NoToken(status, Concat(", but with an access_token of over ", kMaxAccessTokenBytes, " bytes"));
  }
  if (!std::all_of(token.begin(), token.end(), IsVisible)) {
    return NoToken(status, ", but with an access_token that is not visible ASCII");
  }
  return AccessGrant{std::string(token), LifetimeOf(*object)};
}

Millis RenewAfter(Millis lifetime) { return lifetime - std::min(kTokenMargin, lifetime / 4); }

}  // namespace hookd
