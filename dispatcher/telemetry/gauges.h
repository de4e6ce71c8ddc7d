// What is read or computed at a scrape, as families of metrics.
#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "dispatcher/telemetry/process_stats.h"
#include "dispatcher/telemetry/telemetry.h"

namespace hookd {

void AppendGauges(const Gauges& gauges, std::vector<prometheus::MetricFamily>& families);
void AppendProcess(const ProcessStats& process, WallMs start,
                   std::vector<prometheus::MetricFamily>& families);

// One metric without labels.
prometheus::MetricFamily OneMetric(const char* name, const char* help, prometheus::MetricType type,
                                   double value);

}  // namespace hookd
