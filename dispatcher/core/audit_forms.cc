#include "dispatcher/core/audit_forms.h"

#include <algorithm>

#include "base/concat.h"

namespace hookd {
namespace {

const Header* FindSecret(const Endpoint& endpoint, const std::string& name) {
  const auto found = std::find_if(endpoint.headers.begin(), endpoint.headers.end(),
                                  [&](const Header& header) { return header.secret && header.name == name; });
  return found == endpoint.headers.end() ? nullptr : &*found;
}

std::string ClientKey(const Endpoint& endpoint) {
  return endpoint.tls == nullptr ? std::string() : endpoint.tls->client_key_pem;
}

std::string Password(const Endpoint& endpoint) {
  const auto& basic = endpoint.authorization.basic;
  return basic == nullptr ? std::string() : basic->password;
}

std::string ClientSecret(const Endpoint& endpoint) {
  const auto& oauth2 = endpoint.authorization.oauth2;
  return oauth2 == nullptr ? std::string() : oauth2->client_secret;
}

}  // namespace

std::vector<std::string> SecretsChanged(const Endpoint& before, const Endpoint& after) {
  std::vector<std::string> changed;
  if (before.url != after.url) changed.emplace_back("url");  // its query
  for (const Header& header : after.headers) {
    const Header* old = FindSecret(before, header.name);
    if (old != nullptr && header.secret && old->value != header.value) {
      changed.push_back(Concat("headers/", header.name));
    }
  }
  if (before.signing_keys != after.signing_keys) changed.emplace_back("signing_secret");
  if (ClientKey(before) != ClientKey(after)) changed.emplace_back("tls.client_key_pem");
  if (Password(before) != Password(after)) changed.emplace_back("authorization.basic.password");
  if (ClientSecret(before) != ClientSecret(after)) changed.emplace_back("authorization.oauth2.client_secret");
  return changed;
}

}  // namespace hookd
