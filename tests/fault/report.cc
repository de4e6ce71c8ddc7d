#include "tests/fault/report.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/concat.h"

namespace hookd::fault {

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

void Report::Add(const std::string& key, uint64_t value) { counts_.emplace_back(key, value); }

void Report::Write(uint64_t tried, uint64_t found) const {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(RealClock().Steady() - begun_).count();
  std::string text = Concat("{\"name\":\"", name_, "\",\"tried\":", tried, ",\"found\":", found,
                            ",\"seconds\":", std::to_string(static_cast<double>(ms) / 1000));
  for (const auto& [key, value] : counts_) text += Concat(",\"", key, "\":", value);
  text += "}\n";
  std::printf("%s", text.c_str());
  if (const char* path = std::getenv("HOOKD_REPORT")) std::ofstream(path) << text;
}

}  // namespace hookd::fault
