// What the codecs of records share.
#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "base/concat.h"

namespace hookd::records {

inline absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(Concat("a stored ", what, " record is damaged or of an unknown kind"));
}

template <typename Record>
bool Parse(Record& record, std::string_view bytes) {
  return record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <typename Enum>
bool UpTo(Enum last, uint32_t number) {
  return number <= static_cast<uint32_t>(last);
}

}  // namespace hookd::records
