// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, and a folder of inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <absl/status/status.h>

namespace hookd::fuzz {

// Ends the process, and libFuzzer keeps the input.
inline void Must(bool holds, std::string_view promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

// What is refused is the caller's fault, in a few words.
inline void MustRefuse(const absl::Status& status, size_t max_bytes = 1024) {
  Must(absl::IsInvalidArgument(status), "bad input is INVALID_ARGUMENT");
  Must(!status.message().empty() && status.message().size() <= max_bytes, "a refusal is short");
}

// Takes an input apart, from its front. What is not there reads as 0 and "".
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t Byte() {
    const std::string_view one = Take(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  uint64_t Number() {
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = number << 8 | Byte();
    return number;
  }
  std::string_view Take(size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // Up to `end`, which is taken too; without one, all.
  std::string_view Until(char end) {
    const size_t at = rest_.find(end);
    const std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + 1);
    return taken;
  }
  std::string_view Line() { return Until('\n'); }
  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace hookd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
