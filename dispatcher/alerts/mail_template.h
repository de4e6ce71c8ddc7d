// The texts of mails: files of the operator's, with placeholders.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace hookd {

struct MailText {
  std::string subject;
  std::string body;
};

// By the name of the placeholder. One that is missing is empty.
using MailValues = std::map<std::string, std::string, std::less<>>;

// "Subject: ..." and an empty line, then the body; {{name}} is a placeholder. Immutable.
class MailTemplate {
 public:
  // INVALID_ARGUMENT: one line per fault, "file:line: reason". `placeholders`: those that there are.
  static absl::StatusOr<MailTemplate> Parse(std::string_view file, std::string_view text,
                                            const std::vector<std::string_view>& placeholders);

  // A line of the body all of whose placeholders are empty is left out.
  MailText Fill(const MailValues& values) const;

 private:
  struct Piece {
    std::string text;  // of the template, or the placeholder's name
    bool placeholder = false;
  };
  using Line = std::vector<Piece>;

  static absl::StatusOr<Line> ParseLine(std::string_view text,
                                        const std::vector<std::string_view>& placeholders);

  Line subject_;
  std::vector<Line> body_;
};

inline constexpr size_t kMaxTemplateBytes = 64 * 1024;

// Those of one folder, by the names of their files without ".txt".
class MailTemplates {
 public:
  // What there has to be: a name and its placeholders.
  using Wanted = std::map<std::string, std::vector<std::string_view>, std::less<>>;
  // INVALID_ARGUMENT: all faults, each in a line; a file that is missing is one. Other files are not read.
  static absl::StatusOr<MailTemplates> Load(const std::string& folder, const Wanted& wanted);

  // `name` is one of those wanted.
  MailText Fill(std::string_view name, const MailValues& values) const;

 private:
  std::map<std::string, MailTemplate, std::less<>> templates_;
};

}  // namespace hookd
