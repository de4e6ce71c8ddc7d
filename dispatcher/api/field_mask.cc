#include "dispatcher/api/field_mask.h"

#include <algorithm>
#include <string>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace hookd {
namespace {

// Those that may have been meant: of the same part, or the top ones.
std::string Choices(absl::string_view path, absl::Span<const absl::string_view> allowed) {
  const absl::string_view part = path.substr(0, path.find('.') + 1);
  std::vector<absl::string_view> choices;
  for (const absl::string_view one : allowed) {
    const bool nested = one.find('.') != absl::string_view::npos;
    if (nested && !part.empty() && absl::StartsWith(one, part)) choices.push_back(one);
  }
  if (choices.empty()) {
    for (const absl::string_view one : allowed) {
      if (one.find('.') == absl::string_view::npos) choices.push_back(one);
    }
  }
  return absl::StrJoin(choices, ", ");
}

}  // namespace

absl::Status CheckFieldMask(const google::protobuf::FieldMask& mask,
                            absl::Span<const absl::string_view> allowed) {
  if (mask.paths().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("update_mask: is empty, name what to change, of: ", absl::StrJoin(allowed, ", ")));
  }
  if (static_cast<size_t>(mask.paths_size()) > allowed.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("update_mask: names ", mask.paths_size(),
                     " paths, name each once, of: ", absl::StrJoin(allowed, ", ")));
  }
  for (auto path = mask.paths().begin(); path != mask.paths().end(); ++path) {
    if (std::find(allowed.begin(), allowed.end(), *path) == allowed.end()) {
      return absl::InvalidArgumentError(absl::StrCat("update_mask: \"", absl::CHexEscape(path->substr(0, 64)),
                                                     "\" cannot be changed, use: ", Choices(*path, allowed)));
    }
    if (std::find(mask.paths().begin(), path, *path) != path) {
      return absl::InvalidArgumentError(absl::StrCat("update_mask: names ", *path, " twice, name it once"));
    }
  }
  return absl::OkStatus();
}

}  // namespace hookd
