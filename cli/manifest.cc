#include "cli/manifest.h"

#include <set>

#include "base/concat.h"
#include "base/status_macros.h"
#include "cli/manifest_policy.h"
#include "cli/parse.h"
#include "cli/yaml_reader.h"

namespace hookd::cli {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

absl::StatusOr<std::string> SecretOf(const YamlValue& value) {
  ASSIGN_OR_RETURN(const std::string path, value.Text());
  absl::StatusOr<std::string> secret = ReadSecret(path);
  if (!secret.ok()) return value.Fault(std::string(secret.status().message()));
  return secret;
}

absl::Status ReadTexts(const YamlValue& value, Texts& texts) {
  return value.EachItem([&texts](const YamlValue& item) -> absl::Status {
    ASSIGN_OR_RETURN(*texts.Add(), item.Text());
    return absl::OkStatus();
  });
}

absl::Status ReadHeader(const YamlValue& value, v1::Header& header) {
  const auto take = [&header](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "name") {
      ASSIGN_OR_RETURN(*header.mutable_name(), part.Text());
    } else if (key == "value") {
      ASSIGN_OR_RETURN(*header.mutable_value(), part.Text());
    } else if (key == "value_file") {
      ASSIGN_OR_RETURN(*header.mutable_value(), SecretOf(part));
      header.set_secret(true);
    } else if (key == "secret") {
      ASSIGN_OR_RETURN(const bool secret, part.Bool());
      header.set_secret(secret);
    } else {
      return part.UnknownKey("name, value, value_file, secret");
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(value.EachKey(take));
  return header.name().empty() ? value.Fault("has no name") : absl::OkStatus();
}

absl::Status ReadTls(const YamlValue& value, v1::Tls& tls) {
  return value.EachKey([&tls](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "pinned_keys") return ReadTexts(part, *tls.mutable_pinned_keys());
    std::string* const text = key == "ca_file"                   ? tls.mutable_ca_pem()
                              : key == "client_certificate_file" ? tls.mutable_client_certificate_pem()
                              : key == "client_key_file"         ? tls.mutable_client_key_pem()
                                                                 : nullptr;
    if (text == nullptr) {
      return part.UnknownKey("ca_file, pinned_keys, client_certificate_file, client_key_file");
    }
    // As --tls-...-file reads them, so that both give the same settings.
    ASSIGN_OR_RETURN(const std::string path, part.Text());
    absl::StatusOr<std::string> read = ReadFile(path);
    if (!read.ok()) return part.Fault(std::string(read.status().message()));
    *text = *std::move(read);
    return text->empty() ? part.Fault(path + " is empty") : absl::OkStatus();
  });
}

// As the --basic-... and --oauth2-... options read them.
absl::Status ReadBasic(const YamlValue& value, v1::Basic& basic) {
  return value.EachKey([&basic](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "user") {
      ASSIGN_OR_RETURN(*basic.mutable_user(), part.Text());
    } else if (key == "password_file") {
      ASSIGN_OR_RETURN(*basic.mutable_password(), SecretOf(part));
    } else {
      return part.UnknownKey("user, password_file");
    }
    return absl::OkStatus();
  });
}

absl::Status ReadOAuth2(const YamlValue& value, v1::OAuth2& oauth2) {
  return value.EachKey([&oauth2](const std::string& key, const YamlValue& part) -> absl::Status {
    if (key == "token_url") {
      ASSIGN_OR_RETURN(*oauth2.mutable_token_url(), part.Text());
    } else if (key == "client_id") {
      ASSIGN_OR_RETURN(*oauth2.mutable_client_id(), part.Text());
    } else if (key == "client_secret_file") {
      ASSIGN_OR_RETURN(*oauth2.mutable_client_secret(), SecretOf(part));
    } else if (key == "scopes") {
      return ReadTexts(part, *oauth2.mutable_scopes());
    } else if (key == "audience") {
      ASSIGN_OR_RETURN(*oauth2.mutable_audience(), part.Text());
    } else if (key == "secret_in_body") {
      ASSIGN_OR_RETURN(const bool in_body, part.Bool());
      oauth2.set_secret_in_body(in_body);
    } else {
      return part.UnknownKey("token_url, client_id, client_secret_file, scopes, audience, secret_in_body");
    }
    return absl::OkStatus();
  });
}

absl::Status ReadAuthorization(const YamlValue& value, v1::Authorization& authorization) {
  return value.EachKey([&authorization](const std::string& key, const YamlValue& part) -> absl::Status {
    if (authorization.kind_case() != v1::Authorization::KIND_NOT_SET) {
      return part.Fault("is one too many: use basic or oauth2");
    }
    if (key == "basic") return ReadBasic(part, *authorization.mutable_basic());
    if (key == "oauth2") return ReadOAuth2(part, *authorization.mutable_oauth2());
    return part.UnknownKey("basic, oauth2");
  });
}

absl::Status ReadState(const YamlValue& value, std::optional<bool>& state) {
  ASSIGN_OR_RETURN(state, value.Bool());
  return absl::OkStatus();
}

absl::Status ReadEndpointField(const std::string& key, const YamlValue& value, WantedEndpoint& wanted) {
  v1::Endpoint& endpoint = wanted.endpoint;
  if (key == "name") {
    ASSIGN_OR_RETURN(wanted.name, value.Text());
    if (wanted.name.empty()) return value.Fault("is empty: give a name, or leave the key out");
    endpoint.set_description(wanted.name);
    wanted.paths.emplace_back("description");
  } else if (key == "url") {
    ASSIGN_OR_RETURN(*endpoint.mutable_url(), value.Text());
    wanted.paths.push_back(key);
  } else if (key == "event_types") {
    RETURN_IF_ERROR(ReadTexts(value, *endpoint.mutable_event_types()));
    wanted.paths.push_back(key);
  } else if (key == "channels") {
    RETURN_IF_ERROR(ReadTexts(value, *endpoint.mutable_channels()));
    wanted.paths.push_back(key);
  } else if (key == "headers") {
    RETURN_IF_ERROR(
        value.EachItem([&](const YamlValue& item) { return ReadHeader(item, *endpoint.add_headers()); }));
    wanted.paths.push_back(key);
  } else if (key == "tls") {
    RETURN_IF_ERROR(ReadTls(value, *endpoint.mutable_tls()));
    wanted.paths.push_back(key);
  } else if (key == "authorization") {
    RETURN_IF_ERROR(ReadAuthorization(value, *endpoint.mutable_authorization()));
    wanted.paths.push_back(key);
  } else if (key == "signing_secret_file") {
    ASSIGN_OR_RETURN(*endpoint.mutable_signing_secret(), SecretOf(value));
  } else if (key == "profile") {
    ASSIGN_OR_RETURN(*endpoint.mutable_profile(), value.Text());
  } else if (key == "settings") {
    RETURN_IF_ERROR(
        value.EachKey([&endpoint](const std::string& name, const YamlValue& part) -> absl::Status {
          ASSIGN_OR_RETURN(const bool on, part.Bool());
          (*endpoint.mutable_settings())[name] = on;
          return absl::OkStatus();
        }));
    wanted.paths.push_back(key);
  } else if (key == "policy") {
    return ReadPolicy(value, *endpoint.mutable_policy(), wanted.paths);
  } else if (key == "paused") {
    return ReadState(value, wanted.paused);
  } else if (key == "disabled") {
    return ReadState(value, wanted.disabled);
  } else {
    return value.UnknownKey(
        "name, url, event_types, channels, headers, tls, authorization, signing_secret_file, profile, "
        "settings, "
        "policy, paused, disabled");
  }
  return absl::OkStatus();
}

absl::Status ReadEndpoint(const YamlValue& value, WantedSubscriber& subscriber) {
  WantedEndpoint wanted;
  RETURN_IF_ERROR(value.EachKey([&wanted](const std::string& key, const YamlValue& field) {
    return ReadEndpointField(key, field, wanted);
  }));
  if (wanted.endpoint.url().empty()) return value.Fault("has no url");
  for (const WantedEndpoint& other : subscriber.endpoints) {
    const bool same_name = other.name == wanted.name;
    if (same_name && !wanted.name.empty())
      return value.Fault("another endpoint has its name: names are keys");
    if (same_name && other.endpoint.url() == wanted.endpoint.url()) {
      return value.Fault("another endpoint has its url: give them names");
    }
  }
  subscriber.endpoints.push_back(std::move(wanted));
  return absl::OkStatus();
}

absl::Status ReadSubscriber(const YamlValue& value, Manifest& manifest, std::set<std::string>& ids) {
  WantedSubscriber wanted;
  const auto take = [&wanted](const std::string& key, const YamlValue& field) -> absl::Status {
    v1::Subscriber& subscriber = wanted.subscriber;
    if (key == "id") {
      ASSIGN_OR_RETURN(wanted.id, field.Text());
      subscriber.set_id(wanted.id);
    } else if (key == "name") {
      ASSIGN_OR_RETURN(*subscriber.mutable_name(), field.Text());
      wanted.paths.push_back(key);
    } else if (key == "profile") {
      ASSIGN_OR_RETURN(*subscriber.mutable_profile(), field.Text());
      wanted.paths.push_back(key);
    } else if (key == "plan") {
      ASSIGN_OR_RETURN(*subscriber.mutable_plan(), field.Text());
      wanted.paths.push_back(key);
    } else if (key == "strict") {
      ASSIGN_OR_RETURN(const bool strict, field.Bool());
      subscriber.set_strict(strict);
      wanted.paths.push_back(key);
    } else if (key == "alert_addresses") {
      RETURN_IF_ERROR(ReadTexts(field, *subscriber.mutable_alert_addresses()));
      wanted.paths.push_back(key);
    } else if (key == "paused") {
      return ReadState(field, wanted.paused);
    } else if (key == "endpoints") {
      wanted.lists_endpoints = true;
      return field.EachItem([&wanted](const YamlValue& item) { return ReadEndpoint(item, wanted); });
    } else {
      return field.UnknownKey("id, name, profile, plan, strict, alert_addresses, paused, endpoints");
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(value.EachKey(take));
  if (wanted.id.empty()) return value.Fault("has no id");
  if (!ids.insert(wanted.id).second) return value.Fault("another subscriber has its id");
  manifest.subscribers.push_back(std::move(wanted));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(std::string_view text, const std::string& name) {
  Manifest manifest;
  std::set<std::string> ids;
  const auto read = [&manifest, &ids](const YamlValue& root) -> absl::Status {
    bool found = false;
    const auto take = [&](const std::string& key, const YamlValue& value) -> absl::Status {
      if (key != "subscribers") return value.UnknownKey("subscribers");
      found = true;
      return value.EachItem([&](const YamlValue& item) { return ReadSubscriber(item, manifest, ids); });
    };
    RETURN_IF_ERROR(root.EachKey(take));
    return found ? absl::OkStatus() : root.Fault("has no subscribers: give them");
  };
  RETURN_IF_ERROR(ReadYaml(text, name, read));
  return manifest;
}

}  // namespace hookd::cli
