#include "dispatcher/tools/toolbox.h"

#include <utility>

#include "base/concat.h"

namespace hookd {

Toolbox::Toolbox(ToolboxOptions options, const OneShotRunner::TransportFactory& transports,
                 const ToolRules& rules, BinStore& bins, const DeliveryStore& store, const Clock& clock,
                 const std::string& http_address)
    : options_(std::move(options)),
      rules_(rules),
      bins_(bins),
      clock_(clock),
      prober_(one_shot_, store, clock, options_.user_agent),
      one_shot_(transports),
      captures_(bins, store, clock, options_.user_agent, "http://" + http_address) {}

std::optional<BinTarget> Toolbox::StandsIn(const Endpoint& endpoint) {
  if (!Capturing(endpoint, clock_.Wall())) return std::nullopt;
  return BinTarget{endpoint.capture->bin, captures_.BinUrl(endpoint)};
}

bool Toolbox::MustVerify(const Endpoint& endpoint) const {
  return options_.verification_required || rules_.Ownership(endpoint.profile) != VerificationMethod::kNone;
}

VerificationMethod Toolbox::MethodFor(const Endpoint& endpoint) const {
  const VerificationMethod method = rules_.Ownership(endpoint.profile);
  return method == VerificationMethod::kNone ? VerificationMethod::kHmacChallenge : method;
}

std::string Toolbox::PublicUrlOf(const std::string& bin) const {
  if (options_.public_url.empty()) return captures_.UrlOf(bin);
  return Concat(options_.public_url, "/bin/", bin);
}

}  // namespace hookd
