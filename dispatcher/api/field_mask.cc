#include "dispatcher/api/field_mask.h"

#include <algorithm>
#include <string>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace hookd {

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
      return absl::InvalidArgumentError(
          absl::StrCat("update_mask: \"", absl::CHexEscape(path->substr(0, 64)),
                       "\" cannot be changed, use: ", absl::StrJoin(allowed, ", ")));
    }
    if (std::find(mask.paths().begin(), path, *path) != path) {
      return absl::InvalidArgumentError(absl::StrCat("update_mask: names ", *path, " twice, name it once"));
    }
  }
  return absl::OkStatus();
}

}  // namespace hookd
