#include "dispatcher/tools/diagnosis.h"

#include <cerrno>
#include <chrono>
#include <string_view>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_format.h>
#include <absl/time/time.h>

#include "base/concat.h"
#include "dispatcher/core/outcome.h"
#include "dispatcher/core/url_rules.h"

namespace hookd {
namespace {

using Kind = DiagnosisKind;

std::string Seconds(Millis time) {
  if (time.count() % 1000 == 0) return Concat(time.count() / 1000, " s");
  return Concat(time.count(), " ms");
}

std::string Day(WallMs ms) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

std::string Names(const PeerCertificate& certificate) {
  std::string names;
  for (const std::string& name : certificate.names) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "no name at all" : names;
}

std::string_view Hint(int status) {
  switch (status) {
    case 401:
    case 403:
      return "the receiver does not let the request in: check the endpoint's headers, the URL's key, and "
             "what it "
             "allows";
    case 404:
      return "the receiver has nothing at this path: check the URL";
    case 405:
      return "the receiver takes no POST at this path: check the URL";
    case 410:
      return "the receiver says that this URL is gone for good";
    case 413:
      return "the receiver does not take a body of this size";
    case 415:
      return "the receiver does not take JSON here";
    case 429:
      return "the receiver wants fewer requests";
    default:
      break;
  }
  if (status >= 500) return "the receiver failed: its own log says why";
  if (status >= 400) return "the receiver did not like the request: its own log says why";
  return "let the receiver answer with one that counts, or change the endpoint's success codes";
}

Diagnosis OfAnswer(const DeliveryPolicy& policy, const HttpResult& result) {
  Diagnosis diagnosis;
  if (Judge(policy, ErrorKind::kNone, result.status) == ErrorKind::kNone) {
    diagnosis.kind = Kind::kSuccess;
    diagnosis.text = Concat("answered ", result.status, ", which counts as success");
    return diagnosis;
  }
  const std::string success = SuccessCodes(policy.success);
  if (result.status >= 300 && result.status <= 399) {
    diagnosis.kind = Kind::kRedirect;
    diagnosis.location = HeaderValue(result.headers, "location");
    diagnosis.location.resize(std::min(diagnosis.location.find_first_of("?#"), diagnosis.location.size()));
    diagnosis.location.resize(std::min(diagnosis.location.size(), kMaxLocationBytes));
    const std::string where = diagnosis.location.empty() ? "" : Concat(" to ", diagnosis.location);
    diagnosis.text = Concat("answered ", result.status, ", a redirect", where,
                            "; redirects are never followed: set the endpoint's URL to where it leads");
    return diagnosis;
  }
  diagnosis.kind = Kind::kWrongStatus;
  diagnosis.text = Concat("answered ", result.status, "; success is ", success, ": ", Hint(result.status));
  return diagnosis;
}

Diagnosis OfName(const HttpResult& result, const DeliveryPolicy& policy) {
  const std::string_view detail = result.error_detail;
  if (detail == "name has no address") {
    return {Kind::kNoAddress, "the URL's host name exists, but has no address: give it an A or AAAA record",
            ""};
  }
  if (detail == "name does not exist" || detail == "name is not valid") {
    return {Kind::kNameNotFound, "the URL's host name does not exist: check its spelling and its DNS records",
            ""};
  }
  if (detail == "the name was not resolved within the timeout" ||
      detail == "the name servers did not answer") {
    return {Kind::kTimeoutName,
            Concat("the URL's host name was not resolved within ", Seconds(policy.timeout),
                   ": its name servers do not answer"),
            ""};
  }
  return {Kind::kNameNotFound, Concat("the URL's host name cannot be resolved: ", detail), ""};
}

Diagnosis OfConnection(const HttpResult& result) {
  switch (result.os_errno) {
    case ECONNREFUSED:
      return {Kind::kConnectionRefused,
              "the receiver's machine refused the connection: nothing listens at this port, or a firewall "
              "says no",
              ""};
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return {
          Kind::kUnreachable,
          "there is no way to the receiver's address: check the address, and routes and firewalls between",
          ""};
    default:
      return {Kind::kUnreachable, Concat("no connection could be made: ", result.error_detail), ""};
  }
}

Diagnosis OfTls(const std::string& url, const HttpResult& result) {
  const absl::StatusOr<ParsedUrl> parsed = ParseUrl(url);
  const std::string host = parsed.ok() ? parsed->host : "the URL's host";
  const PeerCertificate none;
  const PeerCertificate& certificate = result.certificate == nullptr ? none : *result.certificate;
  switch (certificate.fault) {
    case TlsFault::kExpired:
      return {Kind::kCertificateExpired,
              Concat("a certificate has expired; the receiver's own is valid until ",
                     Day(certificate.not_after_ms), ": renew it, or the one that issued it"),
              ""};
    case TlsFault::kNotYetValid:
      return {Kind::kCertificateNotYetValid,
              Concat("the receiver's certificate is not valid before ", Day(certificate.not_before_ms)), ""};
    case TlsFault::kName:
      return {Kind::kCertificateName,
              Concat("the receiver's certificate is for ", Names(certificate), ", not for ", host), ""};
    case TlsFault::kIssuer:
      return {Kind::kCertificateIssuer,
              Concat("the receiver's certificate was issued by ", certificate.issuer,
                     ", which is not trusted, or the receiver leaves out the certificates between (",
                     result.error_detail, "): let it send its whole chain"),
              ""};
    case TlsFault::kOther:
      return {Kind::kCertificateOther, Concat("the receiver's certificate is refused: ", result.error_detail),
              ""};
    case TlsFault::kNone:
      break;
  }
  return {Kind::kTlsHandshake,
          Concat("no TLS connection came about (", result.error_detail,
                 "): the port may speak another protocol, or no TLS 1.2 and no cipher that hookd has"),
          ""};
}

Diagnosis OfTimeout(const HttpResult& result, const DeliveryPolicy& policy) {
  const std::string within = Concat(" within ", Seconds(policy.timeout));
  switch (result.phase) {
    case ExchangePhase::kName:
      return {Kind::kTimeoutName, Concat("the URL's host name was not resolved", within), ""};
    case ExchangePhase::kConnect:
      return {Kind::kTimeoutConnect,
              Concat("the receiver's address did not answer", within,
                     ": its machine is off, or a firewall drops the packets"),
              ""};
    case ExchangePhase::kTls:
      return {Kind::kTimeoutTls,
              Concat("the receiver took the connection, but the TLS handshake was not finished", within), ""};
    case ExchangePhase::kAnswer:
      break;
  }
  return {Kind::kTimeoutResponse,
          Concat("the receiver took the request, but its response headers were not complete", within,
                 ": answer first and work later"),
          ""};
}

Diagnosis OfProtocol(const HttpResult& result) {
  const std::string_view detail = result.error_detail;
  const bool not_http = detail.find("HTTP") != std::string_view::npos ||
                        detail.find("encoding") != std::string_view::npos ||
                        detail.find("valid answer") != std::string_view::npos;
  if (not_http) {
    return {Kind::kNotHttp, Concat("what came back is not HTTP as it should be: ", detail), ""};
  }
  return {Kind::kClosedEarly,
          Concat("the connection ended before the response headers were complete (", detail,
                 "): the receiver, or a proxy before it, closed it"),
          ""};
}

}  // namespace

Diagnosis Diagnose(const DeliveryPolicy& policy, const std::string& url, const HttpResult& result) {
  switch (result.error) {
    case ErrorKind::kNone:
    case ErrorKind::kStatus:
      return OfAnswer(policy, result);
    case ErrorKind::kTimeout:
      return OfTimeout(result, policy);
    case ErrorKind::kName:
      return OfName(result, policy);
    case ErrorKind::kConnect:
      return OfConnection(result);
    case ErrorKind::kTls:
      return OfTls(url, result);
    case ErrorKind::kProtocol:
      return OfProtocol(result);
    case ErrorKind::kResponseTooBig:
      return {Kind::kHeadersTooLarge, Concat("the answer's headers are too large: ", result.error_detail),
              ""};
    case ErrorKind::kRefusedAddress:
      return {Kind::kAddressRefused, Concat("hookd may not connect there: ", result.error_detail), ""};
    case ErrorKind::kToken:
      return {Kind::kToken,
              Concat("nothing was sent to the receiver, as no access token could be had: ",
                     result.error_detail, ": look at the endpoint's authorization and its token server"),
              ""};
    case ErrorKind::kLocal:
      break;
  }
  if (result.os_errno == EPERM) {
    return {Kind::kAddressRefused,
            "this machine may not connect to the receiver's address (its packet filter)", ""};
  }
  if (result.os_errno == ENETUNREACH || result.os_errno == ENETDOWN) return OfConnection(result);
  return {Kind::kLocal,
          Concat("hookd itself could not do it (", result.error_detail,
                 "): this is not the receiver's fault, tell the operators"),
          ""};
}

std::string SuccessCodes(const std::vector<StatusRange>& ranges) {
  std::string text;
  for (const StatusRange& range : ranges) {
    if (!text.empty()) text += ", ";
    text += std::to_string(range.first);
    if (range.last != range.first) text += Concat("-", range.last);
  }
  return text;
}

std::string HeaderValue(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const size_t colon = line.find(':');
    if (colon != name.size()) continue;
    if (!absl::EqualsIgnoreCase({line.data(), colon}, {name.data(), name.size()})) continue;
    const absl::string_view value =
        absl::StripAsciiWhitespace({line.data() + colon + 1, line.size() - colon - 1});
    std::string text(value);
    for (char& c : text) {
      if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
    }
    return text;
  }
  return "";
}

}  // namespace hookd
