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
  for (const std::string& path : mask.paths()) {
    if (std::find(allowed.begin(), allowed.end(), path) != allowed.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("update_mask: \"", absl::CHexEscape(path.substr(0, 64)),
                     "\" cannot be changed, use: ", absl::StrJoin(allowed, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace hookd
