// ToolRules as the loaded profiles say them. A profile that is not loaded says nothing.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "dispatcher/core/profiles.h"
#include "dispatcher/tools/tool_rules.h"

namespace hookd {

class ProfileToolRules final : public ToolRules {
 public:
  explicit ProfileToolRules(std::shared_ptr<const Profiles> profiles) : profiles_(std::move(profiles)) {}

  absl::Status MaySimulate(const std::string& profile, const Subscriber& subscriber) const override;
  absl::Status MayCapture(const std::string& profile, const Subscriber& subscriber) const override;
  absl::StatusOr<Sample> FindSample(const std::string& profile, const std::string& type,
                                    const std::string& name) const override;
  VerificationMethod Ownership(const std::string& profile) const override;

 private:
  const std::shared_ptr<const Profiles> profiles_;
};

}  // namespace hookd
