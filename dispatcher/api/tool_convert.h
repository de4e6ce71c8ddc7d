// What the tools found, as the API's messages. Thread-compatible, no I/O.
#pragma once

#include "dispatcher/tools/sample_run.h"
#include "hookd/v1/tool_service.pb.h"

namespace hookd {

v1::TestResult ToProto(const ToolExchange& exchange);
v1::TestResult ToProto(const SampleResult& result);

}  // namespace hookd
