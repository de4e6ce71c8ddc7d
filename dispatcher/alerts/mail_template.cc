#include "dispatcher/alerts/mail_template.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/concat.h"
#include "dispatcher/core/text_rules.h"

namespace hookd {
namespace {

constexpr std::string_view kSubject = "Subject: ";

// Splits off the first line, without its end.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string Names(const std::vector<std::string_view>& names) {
  std::string list;
  for (const std::string_view name : names) list += Concat(list.empty() ? "" : ", ", name);
  return list;
}

absl::StatusOr<std::string> ReadTemplate(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(Concat(path, ": cannot be read: it has to be there"));
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return absl::InvalidArgumentError(Concat(path, ": cannot be read"));
  if (text.size() > kMaxTemplateBytes) {
    return absl::InvalidArgumentError(Concat(path, ": is larger than ", kMaxTemplateBytes, " bytes"));
  }
  return text;
}

}  // namespace

absl::StatusOr<MailTemplate::Line> MailTemplate::ParseLine(
    std::string_view text, const std::vector<std::string_view>& placeholders) {
  Line line;
  while (!text.empty()) {
    const size_t open = text.find("{{");
    if (open > 0) line.push_back({std::string(text.substr(0, open)), false});
    if (open == std::string_view::npos) break;
    text.remove_prefix(open + 2);
    const size_t close = text.find("}}");
    if (close == std::string_view::npos) return absl::InvalidArgumentError("{{ without }} in its line");
    const std::string_view name = text.substr(0, close);
    if (std::find(placeholders.begin(), placeholders.end(), name) == placeholders.end()) {
      return absl::InvalidArgumentError(
          Concat("there is no {{", name, "}} here: use any of ", Names(placeholders)));
    }
    line.push_back({std::string(name), true});
    text.remove_prefix(close + 2);
  }
  return line;
}

absl::StatusOr<MailTemplate> MailTemplate::Parse(std::string_view file, std::string_view text,
                                                 const std::vector<std::string_view>& placeholders) {
  MailTemplate parsed;
  std::string faults;
  const auto fault = [&](size_t line, std::string_view reason) {
    faults += Concat(faults.empty() ? "" : "\n", file, ":", line, ": ", reason);
  };
  if (!IsUtf8(text)) fault(1, "is not valid UTF-8");
  const std::string_view subject = TakeLine(text);
  if (!subject.starts_with(kSubject) || subject.size() == kSubject.size()) {
    fault(1, "has to begin with \"Subject: \" and the subject");
  } else if (absl::StatusOr<Line> line = ParseLine(subject.substr(kSubject.size()), placeholders);
             line.ok()) {
    parsed.subject_ = *std::move(line);
  } else {
    fault(1, std::string(line.status().message()));
  }
  if (text.empty() || !TakeLine(text).empty()) fault(2, "has to be empty, between the subject and the body");
  for (size_t number = 3; !text.empty(); ++number) {
    absl::StatusOr<Line> line = ParseLine(TakeLine(text), placeholders);
    if (line.ok()) {
      parsed.body_.push_back(*std::move(line));
    } else {
      fault(number, std::string(line.status().message()));
    }
  }
  if (faults.empty() && parsed.body_.empty()) fault(3, "there is no body");
  if (!faults.empty()) return absl::InvalidArgumentError(faults);
  return parsed;
}

MailText MailTemplate::Fill(const MailValues& values) const {
  const auto fill = [&values](const Line& line, std::string& out) {
    bool any_placeholder = false;
    bool any_value = false;
    for (const Piece& piece : line) {
      if (!piece.placeholder) {
        out += piece.text;
        continue;
      }
      any_placeholder = true;
      const auto value = values.find(piece.text);
      if (value == values.end() || value->second.empty()) continue;
      any_value = true;
      out += value->second;
    }
    return any_value || !any_placeholder;
  };
  MailText text;
  fill(subject_, text.subject);
  for (const Line& line : body_) {
    std::string filled;
    if (fill(line, filled)) text.body += Concat(filled, "\n");
  }
  return text;
}

absl::StatusOr<MailTemplates> MailTemplates::Load(const std::string& folder, const Wanted& wanted) {
  MailTemplates loaded;
  std::string faults;
  for (const auto& [name, placeholders] : wanted) {
    const std::string path = Concat(folder, "/", name, ".txt");
    const absl::StatusOr<std::string> text = ReadTemplate(path);
    absl::StatusOr<MailTemplate> parsed = text.ok() ? MailTemplate::Parse(path, *text, placeholders)
                                                    : absl::StatusOr<MailTemplate>(text.status());
    if (parsed.ok()) {
      loaded.templates_.emplace(name, *std::move(parsed));
    } else {
      faults += Concat(faults.empty() ? "" : "\n", std::string(parsed.status().message()));
    }
  }
  if (!faults.empty()) return absl::InvalidArgumentError(faults);
  return loaded;
}

MailText MailTemplates::Fill(std::string_view name, const MailValues& values) const {
  const auto found = templates_.find(name);
  HOOKD_CHECK(found != templates_.end(), "a template that was not wanted");
  return found->second.Fill(values);
}

}  // namespace hookd
