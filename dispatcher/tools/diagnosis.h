// What an exchange came to, for people: what happened, and what to do about it. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/model.h"
#include "dispatcher/transport/http_transport.h"

namespace hookd {

// Numbers are sent: never reuse one.
enum class DiagnosisKind : uint8_t {
  kSuccess = 1,
  kWrongStatus = 2,
  kRedirect = 3,
  kHeadersTooLarge = 4,
  kNameNotFound = 5,
  kNoAddress = 6,
  kAddressRefused = 7,
  kConnectionRefused = 8,
  kUnreachable = 9,
  kCertificateExpired = 10,
  kCertificateNotYetValid = 11,
  kCertificateName = 12,
  kCertificateIssuer = 13,
  kCertificateOther = 14,
  kTlsHandshake = 15,
  kTimeoutName = 16,
  kTimeoutConnect = 17,
  kTimeoutTls = 18,
  kTimeoutResponse = 19,
  kClosedEarly = 20,
  kNotHttp = 21,
  kLocal = 22,
  kNotSent = 23,
  kToken = 24,
};

struct Diagnosis {
  DiagnosisKind kind = DiagnosisKind::kLocal;
  std::string text;
  std::string location;  // of a redirect, without its query; empty = the answer did not say
};
inline constexpr size_t kMaxLocationBytes = 512;

// `policy`: what counts as success, and the timeout that was given. Nothing of the URL's query is shown.
Diagnosis Diagnose(const DeliveryPolicy& policy, const std::string& url, const HttpResult& result);

// "200-209, 301".
std::string SuccessCodes(const std::vector<StatusRange>& ranges);

// The value of a response header, from lines as HttpResult has them: the first one of that name, printable.
// Empty = none.
std::string HeaderValue(std::string_view lines, std::string_view name);

}  // namespace hookd
