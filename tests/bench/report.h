// The figures of a run: a table for people, JSON for machines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hookd::bench {

struct Unit {
  const char* key;    // in the JSON file
  const char* label;  // in the table
};
inline constexpr Unit kPerSecond{"per_second", "/s"};
inline constexpr Unit kMilliseconds{"ms", "ms"};
inline constexpr Unit kSeconds{"seconds", "s"};
inline constexpr Unit kMebibytes{"mib", "MiB"};
inline constexpr Unit kBytes{"bytes", "B"};
inline constexpr Unit kMicroseconds{"us", "us"};
inline constexpr Unit kCount{"count", ""};
inline constexpr Unit kTimes{"times", "x"};

enum class GoalKind { kNone, kAtLeast, kAtMost };

struct Figure {
  std::string name;
  Unit unit = kPerSecond;
  double value = 0;
  double cpu_us_each = 0;  // 0 = not measured
  std::string of;          // what `ratio` is a ratio to; empty = no ratio
  double ratio = 0;
  GoalKind goal_kind = GoalKind::kNone;
  double goal = 0;  // for `ratio` if there is one, else for `value`
};

Figure MakeFigure(std::string name, Unit unit, double value, double cpu_us_each = 0);
Figure WithRatio(Figure figure, double ratio, std::string of);
Figure WithGoal(Figure figure, GoalKind kind, double goal);
bool GoalMet(const Figure& figure);

// Says so when the largest of `values`, taken of the same thing, is more than a quarter above the smallest: a
// yardstick that was held back makes hookd look good.
void WarnIfUnsteady(const std::string& name, const std::vector<double>& values);

void PrintTable(const std::vector<Figure>& figures);

// What the figures were taken on and with; `settings` is the inside of a JSON object.
struct About {
  std::string machine;
  std::string date;
  std::string commit;
  std::string settings;
};

void WriteJson(const std::string& path, const About& about, const std::vector<Figure>& figures);

}  // namespace hookd::bench
