#include "tests/bench/report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

#include "base/check.h"

namespace hookd::bench {
namespace {

constexpr double kSteady = 1.25;

// Whole numbers from a thousand on, two decimals below.
std::string Number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), value >= 1000 ? "%.0f" : "%.2f", value);
  return text;
}

}  // namespace

Figure MakeFigure(std::string name, Unit unit, double value, double cpu_us_each) {
  Figure figure;
  figure.name = std::move(name);
  figure.unit = unit;
  figure.value = value;
  figure.cpu_us_each = cpu_us_each;
  return figure;
}

Figure WithRatio(Figure figure, double ratio, std::string of) {
  figure.ratio = ratio;
  figure.of = std::move(of);
  return figure;
}

Figure WithGoal(Figure figure, GoalKind kind, double goal) {
  figure.goal_kind = kind;
  figure.goal = goal;
  return figure;
}

bool GoalMet(const Figure& figure) {
  const double reached = figure.of.empty() ? figure.value : figure.ratio;
  return figure.goal_kind == GoalKind::kAtLeast ? reached >= figure.goal : reached <= figure.goal;
}

void WarnIfUnsteady(const std::string& name, const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*most <= *least * kSteady) return;
  std::printf("WARNING: %s not steady, %s to %s: do not rely on its ratio\n", name.c_str(),
              Number(*least).c_str(), Number(*most).c_str());
}

void PrintTable(const std::vector<Figure>& figures) {
  std::printf("\n%-54s %10s %-4s %12s %6s  %s\n", "median of the rounds", "", "", "CPU us each", "ratio",
              "goal");
  for (const Figure& figure : figures) {
    std::printf("%-54s %10s %-4s %12s %6s", figure.name.c_str(), Number(figure.value).c_str(),
                figure.unit.label, figure.cpu_us_each > 0 ? Number(figure.cpu_us_each).c_str() : "",
                figure.of.empty() ? "" : Number(figure.ratio).c_str());
    if (figure.goal_kind != GoalKind::kNone) {
      std::printf("  %s %s %s",
                  figure.goal_kind == GoalKind::kAtLeast ? ">=" : "<=", Number(figure.goal).c_str(),
                  GoalMet(figure) ? "met" : "MISSED");
    }
    std::printf("%s%s\n", figure.of.empty() ? "" : "  of ", figure.of.c_str());
  }
}

void WriteJson(const std::string& path, const About& about, const std::vector<Figure>& figures) {
  std::ofstream out(path);
  out << "{\"machine\": \"" << about.machine << "\", \"date\": \"" << about.date << "\", \"commit\": \""
      << about.commit << "\", " << about.settings << ", \"results\": [";
  for (size_t i = 0; i < figures.size(); ++i) {
    const Figure& figure = figures[i];
    out << (i > 0 ? ", " : "") << "{\"name\": \"" << figure.name << "\", \"" << figure.unit.key
        << "\": " << figure.value;
    if (figure.cpu_us_each > 0) out << ", \"cpu_us_each\": " << figure.cpu_us_each;
    if (!figure.of.empty()) out << ", \"ratio\": " << figure.ratio << ", \"of\": \"" << figure.of << "\"";
    if (figure.goal_kind != GoalKind::kNone) {
      out << ", \"goal\": " << figure.goal << ", \"met\": " << (GoalMet(figure) ? "true" : "false");
    }
    out << "}";
  }
  out << "]}\n";
  HOOKD_CHECK(out.flush().good(), "the JSON file is written");
}

}  // namespace hookd::bench
