#include "base/audit.h"

namespace hookd {
namespace {

void AppendNumber(uint64_t number, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift & 0xff));
}

void AppendText(std::string_view text, std::string& out) {
  AppendNumber(text.size(), out);
  out += text;
}

}  // namespace

std::string AuditText(const AuditRecord& record) {
  std::string out;
  AppendNumber(record.number, out);
  AppendNumber(static_cast<uint64_t>(record.at_ms), out);
  const AuditOrigin& origin = record.origin;
  for (const std::string* text :
       {&origin.actor, &origin.role, &origin.name, &origin.peer, &origin.call, &origin.reason}) {
    AppendText(*text, out);
  }
  const AuditChange& change = record.change;
  for (const std::string* text :
       {&change.resource_type, &change.resource_id, &change.subscriber_id, &change.before, &change.after}) {
    AppendText(*text, out);
  }
  AppendNumber(change.secrets_changed.size(), out);
  for (const std::string& field : change.secrets_changed) AppendText(field, out);
  return out;
}

}  // namespace hookd
