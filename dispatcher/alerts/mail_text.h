// Who is told of an operational event, and in which words. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "dispatcher/alerts/mail_template.h"
#include "dispatcher/core/operational_event.h"

namespace hookd {

// Recipients by group: the operators, or a subscriber's id.
inline constexpr std::string_view kOperatorsGroup;

// The groups that are told of it; none = nobody. Of disablements and what ends them only hookd's own, which
// are steps of an incident; a person knows what a person did.
std::vector<std::string> GroupsOf(const OperationalEvent& event);

// Named in one message; the rest is counted.
inline constexpr size_t kDigestNames = 50;

// What one group is told of in one message.
struct MailDigest {
  std::vector<OperationalEvent> events;              // the first kDigestNames, in their order
  std::map<std::string, size_t, std::less<>> types;  // how many of each
  size_t count = 0;
  EventId first;
  EventId last;

  void Add(const EventId& id, const OperationalEvent& event);
};

// The templates that there have to be.
MailTemplates::Wanted WantedTemplates();

// One event in its own words, several as a digest. `count` is not 0.
MailText RenderMail(const MailTemplates& templates, std::string_view group, const MailDigest& digest);

// The same for the same events and recipient, whenever it is asked: "left@domain".
std::string MessageId(const MailDigest& digest, std::string_view group, std::string_view address,
                      std::string_view domain);
// What mails about one incident refer to; empty = several, or none.
std::string IncidentReference(const MailDigest& digest, std::string_view domain);

}  // namespace hookd
