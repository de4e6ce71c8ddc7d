// Profiles: any file is a profile that holds together, or faults with their lines. The input: YAML.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <absl/strings/match.h>
#include <absl/strings/str_split.h>

#include "base/concat.h"
#include "config/profile_loader.h"
#include "dispatcher/core/profiles.h"
#include "tests/fuzz/fuzz.h"

namespace {

// A folder of this process alone, with a schema and a sample that inputs can name.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hookd-fuzz-XXXXXX").string();
    hookd::fuzz::Must(mkdtemp(name.data()) != nullptr, "there is room for a folder");
    path_ = name;
    std::filesystem::create_directory(path_ / "p");
    std::ofstream(path_ / "p/schema.json") << R"({"type":"object","required":["id"]})";
    std::ofstream(path_ / "p/sample.json") << R"({"id":1})";
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(std::string_view yaml) const {
    const std::filesystem::path file = path_ / "p.yaml";
    std::ofstream(file, std::ios::binary) << yaml;
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  using fuzz::Must;
  static const Folder folder;
  const std::string file = folder.Write({reinterpret_cast<const char*>(data), size});
  absl::StatusOr<Profile> read = LoadProfile(file, CheckProfile);
  if (!read.ok()) {
    Must(absl::IsInvalidArgument(read.status()), "a bad profile is INVALID_ARGUMENT");
    for (const absl::string_view line : absl::StrSplit(read.status().message(), '\n')) {
      Must(absl::StartsWith(line, file), "a fault is one line, and begins with the file's name");
      Must(line.size() <= 8192, "and is short");
    }
    return 0;
  }
  Must(LoadedProfile::Make(*std::move(read)).ok(), "what is taken can be used");
  return 0;
}
