// Protobuf messages between their encoded form and protojson, without a message in memory: what a small body
// may become is bounded by what it is encoded to.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/descriptor.h>

namespace hookd {

// INVALID_ARGUMENT names the field, and never shows a value. Accepts the .proto's names and lowerCamelCase.
absl::StatusOr<std::string> EncodedFromJson(const google::protobuf::Descriptor& type, std::string_view json);

// In lowerCamelCase, without fields that have their default. INTERNAL when Protobuf refuses to.
absl::StatusOr<std::string> JsonFromEncoded(const google::protobuf::Descriptor& type,
                                            const std::string& encoded);

// With its quotes. For texts of ours: what is not ASCII becomes '?'.
std::string JsonQuote(std::string_view text);

}  // namespace hookd
