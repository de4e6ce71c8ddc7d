#include "dispatcher/engine/kept_headers.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

namespace hookd {
namespace {

constexpr std::string_view kSecretNames[] = {
    "webhook-signature", "authorization", "proxy-authorization", "authentication-info", "cookie",
    "set-cookie",        "set-cookie2",   "www-authenticate",    "proxy-authenticate",  "x-api-key"};

bool Same(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()), absl::string_view(b.data(), b.size()));
}

bool IsSecret(std::string_view name) {
  return std::any_of(std::begin(kSecretNames), std::end(kSecretNames),
                     [name](std::string_view secret) { return Same(name, secret); });
}

std::string_view Stripped(std::string_view text) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()));
  return {stripped.data(), stripped.size()};
}

// What the record holds is shown as text: anything else becomes a question mark.
void AppendText(std::string_view text, std::string& out) {
  for (const char c : text) {
    out.push_back(c == '\t' || absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?');
  }
}

// False: it does not fit, and the record ends here.
bool Append(std::string_view name, std::string_view value, bool secret, std::string& lines) {
  const size_t before = lines.size();
  AppendText(name, lines);
  if (!secret) {
    lines += ": ";
    AppendText(value, lines);
  }
  lines.push_back('\n');
  if (lines.size() <= kKeptHeaderBytes) return true;
  lines.resize(before);
  return false;
}

}  // namespace

std::string KeptRequestHeaders(const std::vector<std::pair<std::string, std::string>>& headers,
                               const Endpoint& endpoint) {
  std::string lines;
  for (const auto& header : headers) {
    const std::string& name = header.first;
    const bool secret =
        IsSecret(name) || std::any_of(endpoint.headers.begin(), endpoint.headers.end(),
                                      [&](const Header& own) { return own.secret && Same(own.name, name); });
    if (!Append(name, header.second, secret, lines)) return lines;
  }
  if (endpoint.authorization.oauth2 != nullptr) Append("Authorization", "", true, lines);
  return lines;
}

std::string KeptResponseHeaders(std::string_view raw) {
  std::string lines;
  while (!raw.empty()) {
    const size_t end = std::min(raw.find('\n'), raw.size());
    const std::string_view line = Stripped(raw.substr(0, end));
    const bool folded = raw.front() == ' ' || raw.front() == '\t';
    raw.remove_prefix(std::min(end + 1, raw.size()));
    const size_t colon = line.find(':');
    // Not a header: the status line, or the rest of a folded value, which may be a secret's.
    if (folded || colon == std::string_view::npos || colon == 0) continue;
    const std::string_view name = Stripped(line.substr(0, colon));
    if (!Append(name, Stripped(line.substr(colon + 1)), IsSecret(name), lines)) break;
  }
  return lines;
}

}  // namespace hookd
