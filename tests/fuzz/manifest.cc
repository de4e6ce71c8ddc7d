// What hookctl reads as YAML: the file of `apply`, and its settings. Any text is one, or a fault with its
// line. The input: YAML.
#include "cli/manifest.h"

#include <string>

#include <absl/strings/match.h>

#include "cli/settings.h"
#include "tests/fuzz/fuzz.h"

namespace {

void MustTell(const absl::Status& status) {
  using hookd::fuzz::Must;
  Must(absl::IsInvalidArgument(status), "a bad file is INVALID_ARGUMENT");
  Must(absl::StartsWith(status.message(), "f.yaml"), "a fault begins with the file's name");
  Must(status.message().size() <= 4096, "is short");
  for (const char c : status.message()) Must(static_cast<unsigned char>(c) >= 0x20, "and one line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  if (yaml.find("/dev/") != std::string_view::npos) return 0;  // it names files, and they are read
  if (const auto manifest = cli::ParseManifest(yaml, "f.yaml"); !manifest.ok()) MustTell(manifest.status());
  if (const auto settings = cli::ParseSettings(yaml, "f.yaml"); !settings.ok()) MustTell(settings.status());
  return 0;
}
