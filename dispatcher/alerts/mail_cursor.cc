#include "dispatcher/alerts/mail_cursor.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

// Lines of words: neither addresses nor the ids of subscribers hold a space, and no id is "*".
//   after EVENT
//   until EVENT [GROUP ADDRESS]
//   deferred TRIES FIRST LAST GROUP ADDRESS
constexpr std::string_view kOperators = "*";

std::string GroupText(const std::string& group) { return group.empty() ? std::string(kOperators) : group; }
std::string ParseGroup(const std::string& text) { return text == kOperators ? "" : text; }

absl::Status Damaged() { return absl::DataLossError("the cursor of the mails is damaged"); }

absl::Status ParseLine(const std::vector<std::string>& words, MailCursor& cursor) {
  if (words[0] == "after" && words.size() == 2) {
    ASSIGN_OR_RETURN(cursor.after, EventId::Parse(words[1]));
    return absl::OkStatus();
  }
  if (words[0] == "until" && (words.size() == 2 || words.size() == 4)) {
    ASSIGN_OR_RETURN(cursor.until, EventId::Parse(words[1]));
    cursor.begun = words.size() == 4;
    if (!cursor.begun) return absl::OkStatus();
    cursor.group = ParseGroup(words[2]);
    cursor.address = words[3];
    return absl::OkStatus();
  }
  if (words[0] == "deferred" && words.size() == 6 && cursor.deferred.size() < kMaxDeferredMails) {
    DeferredMail& mail = cursor.deferred.emplace_back();
    if (!absl::SimpleAtoi(words[1], &mail.tries)) return Damaged();
    ASSIGN_OR_RETURN(mail.first, EventId::Parse(words[2]));
    ASSIGN_OR_RETURN(mail.last, EventId::Parse(words[3]));
    mail.group = ParseGroup(words[4]);
    mail.address = words[5];
    return absl::OkStatus();
  }
  return Damaged();
}

}  // namespace

std::string ToText(const MailCursor& cursor) {
  std::string text = Concat("after ", cursor.after.ToString(), "\n");
  if (cursor.until) {
    text += Concat("until ", cursor.until->ToString());
    if (cursor.begun) text += Concat(" ", GroupText(cursor.group), " ", cursor.address);
    text += "\n";
  }
  for (const DeferredMail& mail : cursor.deferred) {
    text += Concat("deferred ", mail.tries, " ", mail.first.ToString(), " ", mail.last.ToString(), " ",
                   GroupText(mail.group), " ", mail.address, "\n");
  }
  return text;
}

absl::StatusOr<MailCursor> ParseMailCursor(std::string_view text) {
  MailCursor cursor;
  bool after = false;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (!ParseLine(words, cursor).ok()) return Damaged();
    after |= words[0] == "after";
  }
  if (!after) return Damaged();
  return cursor;
}

}  // namespace hookd
