#include "cli/progress.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include <google/protobuf/duration.pb.h>

#include "base/concat.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace hookd::cli {
namespace {

constexpr uint64_t kBarCells = 20;
constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr std::chrono::seconds kLineEvery{1};

}  // namespace

std::string BarText(uint64_t done, uint64_t whole) {
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(whole));
  const auto cells = static_cast<size_t>(part * kBarCells);
  const auto percent = std::to_string(static_cast<int>(part * 100));
  return Concat("[", std::string(cells, '#'), std::string(kBarCells - cells, '.'), "] ",
                std::string(3 - percent.size(), ' '), percent, " %");
}

std::string PaceText(uint64_t done, uint64_t whole, Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (done == 0 || seconds <= 0) return "";
  const double rate = static_cast<double>(done) / seconds;
  std::string text = Concat(Grouped(static_cast<uint64_t>(rate)), "/s");
  if (whole > done) {
    google::protobuf::Duration left;
    left.set_seconds(static_cast<int64_t>(static_cast<double>(whole - done) / rate) + 1);
    text += Concat(", ", ShortDuration(left), " left");
  }
  return text;
}

void AddProgress(CLI::App& command, bool& progress) {
  command.add_flag("--progress", progress, "on standard error, also when it is not a terminal");
}

Progress::Progress(bool wanted, const Clock& clock)
    : in_place_(ErrorIsTerminal()), shown_(wanted || in_place_), clock_(clock), begin_(clock.Steady()) {}

void Progress::End() {
  const std::lock_guard lock(mutex_);
  Clear();
}

bool Progress::Due() {
  if (!shown_) return false;
  const Duration every = in_place_ ? Duration(kRedrawEvery) : Duration(kLineEvery);
  const SteadyTime now = clock_.Steady();
  const std::lock_guard lock(mutex_);
  if (last_ && now - *last_ < every) return false;
  last_ = now;
  return true;
}

void Progress::Show(const std::string& text) {
  if (!shown_) return;
  const std::lock_guard lock(mutex_);
  if (!in_place_) {
    std::cerr << text << "\n";
    return;
  }
  Clear();
  // Without its last column, a line never wraps.
  std::cerr << text.substr(0, SizeOfTerminal().columns - 1) << std::flush;
  there_ = true;
}

void Progress::Say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  Clear();
  std::cerr << line << "\n";
}

void Progress::Clear() {
  if (there_) std::cerr << "\r\x1b[K" << std::flush;
  there_ = false;
}

}  // namespace hookd::cli
