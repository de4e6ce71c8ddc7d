#include "dispatcher/alerts/mail_window.h"

namespace hookd {

bool MailWindow::Add(const Event& event) {
  const absl::StatusOr<OperationalEvent> parsed = ParseOperationalPayload(event.payload);
  if (!parsed.ok()) return false;
  const std::vector<std::string> groups = GroupsOf(*parsed);
  for (const std::string& group : groups) groups_[group].Add(event.id, *parsed);
  if (!groups.empty()) ++events_;
  return !groups.empty();
}

}  // namespace hookd
