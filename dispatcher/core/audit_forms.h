// How the audit log shows what was changed.
#pragma once

#include <string>
#include <vector>

#include "base/model.h"

namespace hookd {

// JSON of each as reads show it: without secrets. Thread-safe.
class AuditForms {
 public:
  virtual ~AuditForms() = default;
  virtual std::string Show(const Subscriber& subscriber) const = 0;
  virtual std::string Show(const Endpoint& endpoint) const = 0;
  virtual std::string Show(const AccessToken& token) const = 0;
  virtual std::string Show(const Job& job) const = 0;
  virtual std::string Show(const Operations& operations) const = 0;
};

// The fields of the endpoint that hold secrets, and whose values differ.
std::vector<std::string> SecretsChanged(const Endpoint& before, const Endpoint& after);

}  // namespace hookd
