// How a single value is written in the configuration file, and what it may be. Errors are INVALID_ARGUMENT;
// their message is a reason and what to do, to be read after the key's name. (Debian's Abseil has a
// string_view of its own.)
#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "hookd/config/v1/config.pb.h"

namespace hookd::config {

// "512", "-1".
absl::StatusOr<int64_t> ParseInteger(absl::string_view text);
// "512B", "4KiB", "64MiB", "1GiB": bytes.
absl::StatusOr<int64_t> ParseByteSize(absl::string_view text);
// "500ms", "30s", "15m", "1h": milliseconds.
absl::StatusOr<int64_t> ParseDurationMs(absl::string_view text);

absl::Status CheckFormat(v1::Format format, absl::string_view text);

// IP:port on a loopback address.
bool IsLoopback(absl::string_view ip_port);

// A field of a section that holds values itself, not another section.
bool IsValue(const google::protobuf::FieldDescriptor& field);

// Reads `text` as `field`'s type, holds it against the field's rule, and sets it (appends it to a list).
absl::Status SetValue(const google::protobuf::FieldDescriptor& field, absl::string_view text,
                      google::protobuf::Message& parent);

}  // namespace hookd::config
