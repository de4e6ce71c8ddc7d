// The tools around a webhook, put together: what the API, the HTTP port and the engine need of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/tools/one_shot.h"
#include "dispatcher/tools/sample_run.h"
#include "dispatcher/tools/tool_rules.h"

namespace hookd {

struct ToolboxOptions {
  std::string user_agent = "hookd";
};

// Thread-safe. Outlives the API, the HTTP port and the engine; stopped after the API's calls have ended.
class Toolbox {
 public:
  // `rules` and `clock` outlive it.
  Toolbox(ToolboxOptions options, const OneShotRunner::TransportFactory& transports, const ToolRules& rules,
          const Clock& clock)
      : options_(std::move(options)), rules_(rules), clock_(clock), one_shot_(transports) {}

  void Stop() { one_shot_.Stop(); }

  // What stands in for the endpoint's URL now; nullopt = nothing does.
  std::optional<BinTarget> StandsIn(const Endpoint& endpoint);

  const ToolboxOptions& options() const { return options_; }
  const ToolRules& rules() const { return rules_; }
  const Clock& clock() const { return clock_; }
  OneShot& one_shot() { return one_shot_; }

 private:
  const ToolboxOptions options_;
  const ToolRules& rules_;
  const Clock& clock_;
  OneShotRunner one_shot_;
};

}  // namespace hookd
