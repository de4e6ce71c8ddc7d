#include "cli/plan.h"

#include <algorithm>
#include <set>

#include "base/concat.h"
#include "base/status_macros.h"
#include "base/url_query.h"
#include "cli/field_text.h"

namespace hookd::cli {
namespace {

std::string LabelOf(const v1::Endpoint& endpoint) {
  return endpoint.description().empty() ? MaskQuery(endpoint.url()) : endpoint.description();
}

// A state that a person sets; what is wanted and there needs nothing.
void PlanState(const char* path, std::optional<bool> wanted, bool now, bool created,
               std::optional<bool>& to_do, Step& step) {
  if (!wanted || *wanted == now) return;
  to_do = wanted;
  step.changes.push_back({path, created ? "" : (now ? "yes" : "no"), *wanted ? "yes" : "no"});
}

class Planner {
 public:
  Planner(const Current& current, const PlanOptions& options) : current_(current), options_(options) {}

  absl::Status Add(const WantedSubscriber& wanted) {
    const auto found = current_.find(wanted.id);
    const CurrentSubscriber* there = found == current_.end() ? nullptr : &found->second;
    AddSubscriber(wanted, there);
    std::set<std::string> taken;  // ids
    if (there == nullptr) {
      for (const WantedEndpoint& endpoint : wanted.endpoints) {
        RETURN_IF_ERROR(AddEndpoint(wanted, endpoint, nullptr));
      }
      return absl::OkStatus();
    }
    std::vector<const v1::Endpoint*> matches(wanted.endpoints.size(), nullptr);
    // Names first, so that a URL cannot take an endpoint that another name is for.
    for (const bool by_name : {true, false}) {
      for (size_t i = 0; i < matches.size(); ++i) {
        if (matches[i] != nullptr || (by_name && wanted.endpoints[i].name.empty())) continue;
        ASSIGN_OR_RETURN(matches[i], Match(wanted.endpoints[i], *there, by_name, taken));
        if (matches[i] != nullptr) taken.insert(matches[i]->id());
      }
    }
    for (size_t i = 0; i < matches.size(); ++i) {
      RETURN_IF_ERROR(AddEndpoint(wanted, wanted.endpoints[i], matches[i]));
    }
    if (options_.prune && wanted.lists_endpoints) Prune(*there, taken);
    return absl::OkStatus();
  }

  std::vector<Step> Take() {
    std::stable_partition(steps_.begin(), steps_.end(),
                          [](const Step& step) { return step.action != Action::kDelete; });
    return std::move(steps_);
  }

 private:
  void AddSubscriber(const WantedSubscriber& wanted, const CurrentSubscriber* there) {
    Step step;
    step.action = there == nullptr ? Action::kCreate : Action::kChange;
    step.subscriber_id = wanted.id;
    step.subscriber = wanted.subscriber;
    for (const std::string& path : wanted.paths) {
      const std::string before = there == nullptr ? "" : SubscriberFieldText(there->subscriber, path);
      const std::string after = SubscriberFieldText(wanted.subscriber, path);
      if (before == after) continue;
      step.paths.push_back(path);
      step.changes.push_back({path, before, after});
    }
    const bool paused = there != nullptr && there->subscriber.paused();
    PlanState("paused", wanted.paused, paused, there == nullptr, step.paused, step);
    if (there == nullptr || !step.changes.empty()) steps_.push_back(std::move(step));
  }

  absl::StatusOr<const v1::Endpoint*> Match(const WantedEndpoint& wanted, const CurrentSubscriber& there,
                                            bool by_name, const std::set<std::string>& taken) {
    const v1::Endpoint* match = nullptr;
    for (const v1::Endpoint& endpoint : there.endpoints) {
      if (taken.count(endpoint.id()) != 0) continue;
      const bool fits =
          by_name ? endpoint.description() == wanted.name : endpoint.url() == wanted.endpoint.url();
      if (!fits) continue;
      if (match != nullptr) {
        return absl::InvalidArgumentError(
            Concat("subscriber ", there.subscriber.id(), ": ", match->id(), " and ", endpoint.id(),
                   " both have the ", by_name ? "name " : "url of endpoint ", LabelOf(wanted.endpoint),
                   ": give them descriptions of their own first"));
      }
      match = &endpoint;
    }
    return match;
  }

  absl::Status AddEndpoint(const WantedSubscriber& subscriber, const WantedEndpoint& wanted,
                           const v1::Endpoint* there) {
    Step step;
    const bool created = there == nullptr;
    const std::string& profile = wanted.endpoint.profile();
    if (!created && !profile.empty() && profile != there->profile()) {
      return absl::InvalidArgumentError(
          Concat("endpoint ", there->id(), " (", LabelOf(*there), ") has ",
                 there->profile().empty() ? std::string("no profile") : "profile " + there->profile(),
                 ", not ", profile, ": that cannot be changed, make another endpoint"));
    }
    step.action = created ? Action::kCreate : Action::kChange;
    step.is_endpoint = true;
    step.subscriber_id = subscriber.id;
    step.endpoint = wanted.endpoint;
    step.endpoint.set_subscriber_id(subscriber.id);
    step.label = LabelOf(created ? wanted.endpoint : *there);
    if (!created) step.endpoint_id = there->id();
    if (created && !profile.empty()) step.changes.push_back({"profile", "", profile});
    if (!created) {
      // Settings that the file does not name stay.
      for (const auto& [name, on] : there->settings()) step.endpoint.mutable_settings()->insert({name, on});
    }
    for (const std::string& path : wanted.paths) {
      const std::string before = created ? "" : EndpointFieldText(*there, path);
      const std::string after = EndpointFieldText(step.endpoint, path);
      const bool secret = GivesSecret(wanted.endpoint, path);
      const bool resent = !created && options_.secrets && secret;
      const bool other_query = !created && path == "url" && there->url() != wanted.endpoint.url();
      if (!created && before == after && !resent && !other_query) continue;
      step.paths.push_back(path);
      step.changes.push_back({path, before, resent ? after + ", sent again" : after});
    }
    AddSigningSecret(wanted, created, step);
    PlanState("paused", wanted.paused, !created && there->paused(), created, step.paused, step);
    PlanState("disabled", wanted.disabled, !created && there->has_disabled(), created, step.disabled, step);
    if (created || !step.changes.empty()) steps_.push_back(std::move(step));
    return absl::OkStatus();
  }

  static bool GivesSecret(const v1::Endpoint& endpoint, const std::string& path) {
    if (path == "tls") return !endpoint.tls().client_key_pem().empty();
    if (path == "authorization") {
      const v1::Authorization& authorization = endpoint.authorization();
      return !authorization.basic().password().empty() || !authorization.oauth2().client_secret().empty();
    }
    return path == "headers" && HasSecretHeader(endpoint);
  }

  static bool HasSecretHeader(const v1::Endpoint& endpoint) {
    return std::any_of(endpoint.headers().begin(), endpoint.headers().end(),
                       [](const v1::Header& header) { return header.secret() && !header.value().empty(); });
  }

  void AddSigningSecret(const WantedEndpoint& wanted, bool created, Step& step) const {
    if (wanted.endpoint.signing_secret().empty() || (!created && !options_.secrets)) return;
    step.paths.emplace_back("signing_secret");
    step.changes.push_back(
        {"signing_secret", created ? "" : "(secret)", created ? "(secret)" : "(secret), sent again"});
  }

  void Prune(const CurrentSubscriber& there, const std::set<std::string>& taken) {
    for (const v1::Endpoint& endpoint : there.endpoints) {
      if (taken.count(endpoint.id()) != 0) continue;
      Step step;
      step.action = Action::kDelete;
      step.is_endpoint = true;
      step.subscriber_id = there.subscriber.id();
      step.endpoint_id = endpoint.id();
      step.label = LabelOf(endpoint);
      steps_.push_back(std::move(step));
    }
  }

  const Current& current_;
  const PlanOptions& options_;
  std::vector<Step> steps_;
};

}  // namespace

absl::StatusOr<std::vector<Step>> MakePlan(const Manifest& manifest, const Current& current,
                                           const PlanOptions& options) {
  Planner planner(current, options);
  for (const WantedSubscriber& subscriber : manifest.subscribers) RETURN_IF_ERROR(planner.Add(subscriber));
  return planner.Take();
}

}  // namespace hookd::cli
