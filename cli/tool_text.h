// What the tools found, in words, for people.
#pragma once

#include <string>

#include "hookd/v1/tool_service.pb.h"

namespace hookd::cli {

// "localhost, example.com; issued by CN=some CA; 2026-01-01T00:00:00Z to 2026-04-01T00:00:00Z"
std::string CertificateText(const v1::Certificate& certificate);

// What came of it in one line, and below it all that is known of the exchange.
std::string TestResultText(const v1::TestResult& result);

}  // namespace hookd::cli
