// The configuration: any text is a configuration within its ranges, or faults with their lines. The input:
// YAML.
#include <string>

#include <absl/strings/match.h>
#include <absl/strings/str_split.h>

#include "config/config_loader.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<config::v1::Config> read = ParseConfig(yaml, "hookd.yaml");
  if (!read.ok()) {
    Must(absl::IsInvalidArgument(read.status()), "a bad configuration is INVALID_ARGUMENT");
    for (const absl::string_view line : absl::StrSplit(read.status().message(), '\n')) {
      Must(absl::StartsWith(line, "hookd.yaml:"), "a fault is one line, and begins with the file's name");
      Must(line.size() <= 4096, "and is short");
    }
    return 0;
  }
  Must(CheckListening(*read).ok(), "what is taken is safe to listen with");
  Must(ChangedKeys(*read, *ParseConfig(yaml, "other.yaml")).empty(),
       "the same text is the same configuration");
  return 0;
}
