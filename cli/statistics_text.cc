#include "cli/statistics_text.h"

#include <algorithm>

#include <google/protobuf/util/time_util.h>

#include "base/concat.h"
#include "cli/words.h"

namespace hookd::cli {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr size_t kShownOriginBytes = 48;

uint64_t Failures(const v1::Statistics& statistics) {
  return statistics.attempts() - std::min(statistics.succeeded(), statistics.attempts());
}

std::string Headline(v1::TopBy by) {
  switch (by) {
    case v1::TOP_BY_FAILURES:
      return "MOST FAILING";
    case v1::TOP_BY_LATENCY:
      return "SLOWEST";
    case v1::TOP_BY_PENDING:
      return "MOST PENDING";
    default:
      return "BUSIEST";
  }
}

std::string AgeText(const Timestamp& then, const Timestamp& now) {
  return TimeText(then).empty() ? "" : ShortDuration(now - then);
}

}  // namespace

std::string ShareText(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  const auto mille =
      static_cast<uint64_t>(static_cast<double>(part) * 1000 / static_cast<double>(whole) + 0.5);
  return Concat(mille / 10, ".", mille % 10, " %");
}

std::string StatisticsText(const v1::Statistics& statistics, const Timestamp& now) {
  const std::string oldest = AgeText(statistics.oldest_pending_time(), now);
  return FieldsText({{"window", "last " + Word(statistics.window())},
                     {"attempts", Grouped(statistics.attempts())},
                     {"succeeded", Concat(Grouped(statistics.succeeded()), " (",
                                          ShareText(statistics.succeeded(), statistics.attempts()), ")")},
                     {"2xx", Grouped(statistics.status_2xx())},
                     {"3xx", Grouped(statistics.status_3xx())},
                     {"4xx", Grouped(statistics.status_4xx())},
                     {"5xx", Grouped(statistics.status_5xx())},
                     {"timeouts", Grouped(statistics.timeouts())},
                     {"other errors", Grouped(statistics.other_errors())},
                     {"latency", Concat("p50 ", ShortDuration(statistics.latency_p50()), ", p90 ",
                                        ShortDuration(statistics.latency_p90()), ", p99 ",
                                        ShortDuration(statistics.latency_p99()))},
                     {"pending", Grouped(statistics.pending())},
                     {"oldest pending", oldest.empty() ? "" : oldest + " old"},
                     {"kept since", TimeText(statistics.since())}});
}

std::string RankingText(v1::TopBy by, const v1::ListTopEndpointsResponse& ranking, const Timestamp& now) {
  std::vector<Row> rows;
  for (const v1::TopEndpoint& endpoint : ranking.endpoints()) {
    const v1::Statistics& statistics = endpoint.statistics();
    rows.push_back({endpoint.id(), OneLine(endpoint.subscriber_id(), 24),
                    OneLine(endpoint.origin(), kShownOriginBytes), Grouped(statistics.attempts()),
                    Grouped(Failures(statistics)), ShareText(Failures(statistics), statistics.attempts()),
                    ShortDuration(statistics.latency_p50()), ShortDuration(statistics.latency_p99()),
                    Grouped(statistics.pending()), AgeText(statistics.oldest_pending_time(), now)});
  }
  return Concat(Headline(by), "\n",
                TableText({"ID", "SUBSCRIBER", "ORIGIN", "ATTEMPTS", "FAILED", "SHARE", "P50", "P99",
                           "PENDING", "OLDEST"},
                          rows));
}

}  // namespace hookd::cli
