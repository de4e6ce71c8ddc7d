#include "cli/job_text.h"

#include <algorithm>

#include <absl/strings/ascii.h>

#include "base/concat.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/words.h"

namespace hookd::cli {

std::string JobText(const v1::Job& job) {
  if (job.dry_run()) {
    return FieldsText({{"kind", Word(job.kind())},
                       {"would look at", Grouped(std::max(job.expected(), job.matched()))},
                       {"started", "no: a dry run"}});
  }
  return FieldsText({{"id", job.id()},
                     {"kind", Word(job.kind())},
                     {"state", absl::AsciiStrToUpper(Word(job.state()))},
                     {"error", job.error()},
                     {"endpoint", job.endpoint_id()},
                     {"subscriber", job.subscriber_id()},
                     {"event", job.event_id()},
                     {"host", job.host()},
                     {"type", job.event_type()},
                     {"from", TimeText(job.time_from())},
                     {"before", TimeText(job.time_before())},
                     {"reason", job.reason()},
                     {"looked at", Grouped(job.matched())},
                     {"done", Grouped(job.done())},
                     {"left alone", Grouped(job.skipped())},
                     {"expected", job.expected() == 0 ? "" : Grouped(job.expected())},
                     {"rate", job.rate() == 0 ? "" : Grouped(job.rate()) + "/s"},
                     {"created", TimeText(job.create_time())},
                     {"updated", TimeText(job.update_time())},
                     {"ended", TimeText(job.end_time())}});
}

std::string JobProgressText(const v1::Job& job, uint64_t first_matched, Duration since_first) {
  const uint64_t whole = std::max(job.expected(), job.matched());
  std::string text;
  if (job.expected() != 0) text = BarText(job.matched(), whole) + "  ";
  text += Grouped(job.matched());
  if (job.expected() != 0) text += " of " + Grouped(whole);
  if (job.skipped() != 0) text += Concat(", ", Grouped(job.skipped()), " left alone");
  const uint64_t seen = job.matched() - std::min(first_matched, job.matched());
  const uint64_t rest = job.expected() == 0 ? 0 : whole - job.matched();
  const std::string pace = PaceText(seen, rest == 0 ? 0 : seen + rest, since_first);
  return pace.empty() ? text : Concat(text, "  ", pace);
}

}  // namespace hookd::cli
