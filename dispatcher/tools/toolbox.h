// The tools around a webhook, put together: what the API, the HTTP port and the engine need of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/tools/bin_store.h"
#include "dispatcher/tools/captures.h"
#include "dispatcher/tools/one_shot.h"
#include "dispatcher/tools/prober.h"
#include "dispatcher/tools/sample_run.h"
#include "dispatcher/tools/tool_rules.h"

namespace hookd {

struct ToolboxOptions {
  std::string user_agent = "hookd";
  std::string origin = "hookd";        // what hookd calls itself in the CloudEvents handshake
  bool verification_required = false;  // of every endpoint, whatever its profile says
  bool http_tls = false;               // the HTTP port speaks TLS: hookd itself sends nothing to its bins
  std::string public_url;              // of the HTTP port, as others reach its bins; empty = as hookd does
};

// Thread-safe. Outlives the API, the HTTP port and the engine; stopped after the API's calls have ended.
class Toolbox {
 public:
  // All outlive it. `http_address`: the HTTP port's, IP:port.
  Toolbox(ToolboxOptions options, const OneShotRunner::TransportFactory& transports, const ToolRules& rules,
          BinStore& bins, const DeliveryStore& store, const Clock& clock, const std::string& http_address);

  void Stop() {
    prober_.Stop();
    one_shot_.Stop();
    captures_.Stop();
  }

  // What stands in for the endpoint's URL now; nullopt = nothing does.
  std::optional<BinTarget> StandsIn(const Endpoint& endpoint);
  // A new endpoint, or one with another URL, is disabled until it is verified.
  bool MustVerify(const Endpoint& endpoint) const;
  // How, where the call does not say.
  VerificationMethod MethodFor(const Endpoint& endpoint) const;
  // Where others send to the bin.
  std::string PublicUrlOf(const std::string& bin) const;

  const ToolboxOptions& options() const { return options_; }
  const ToolRules& rules() const { return rules_; }
  const Clock& clock() const { return clock_; }
  OneShot& one_shot() { return one_shot_; }
  BinStore& bins() { return bins_; }
  Captures& captures() { return captures_; }
  Prober& prober() { return prober_; }

 private:
  const ToolboxOptions options_;
  const ToolRules& rules_;
  BinStore& bins_;
  const Clock& clock_;
  Prober prober_;  // outlives what it has sent by one_shot_
  OneShotRunner one_shot_;
  Captures captures_;
};

}  // namespace hookd
