// How far the mails are, as it is stored: Engine::SaveMailCursor. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "base/ids.h"

namespace hookd {

// One recipient that the mail server did not take a message for; the message is made anew of its events.
struct DeferredMail {
  uint32_t tries = 0;
  EventId first;  // of its events; inclusive
  EventId last;
  std::string group;
  std::string address;
  bool operator==(const DeferredMail&) const = default;
};
// More are given up at once.
inline constexpr size_t kMaxDeferredMails = 64;

// Messages are sent by windows: once one is closed, what is in it stays the same over restarts, and so do the
// messages and their ids. Within it, recipients have their turns by group and address.
struct MailCursor {
  EventId after;                 // every event up to it is done with, but for what is deferred
  std::optional<EventId> until;  // the last event of the closed window; nullopt = none is closed
  bool begun = false;            // of the window: some recipients are done with, the last of them:
  std::string group;
  std::string address;
  std::vector<DeferredMail> deferred;
  bool operator==(const MailCursor&) const = default;
};

std::string ToText(const MailCursor& cursor);
// DATA_LOSS: it is not such a text.
absl::StatusOr<MailCursor> ParseMailCursor(std::string_view text);

}  // namespace hookd
