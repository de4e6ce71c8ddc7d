// What the tools found, in words, for people.
#pragma once

#include <string>

#include "cli/output.h"
#include "hookd/v1/capture_service.pb.h"
#include "hookd/v1/tool_service.pb.h"

namespace hookd::cli {

// "localhost, example.com; issued by CN=some CA; 2026-01-01T00:00:00Z to 2026-04-01T00:00:00Z"
std::string CertificateText(const v1::Certificate& certificate);

// What came of it in one line, and below it all that is known of the exchange.
std::string TestResultText(const v1::TestResult& result);

Fields BinFields(const v1::Bin& bin);
// Number, time, method, target, event type, webhook-id, bytes, what was answered.
Row CapturedRow(const v1::CapturedRequest& request);
// As it came over the wire, below a line that says when and from where.
std::string CapturedText(const v1::CapturedRequest& request);

}  // namespace hookd::cli
