#include "dispatcher/api/connect_protocol.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include "base/concat.h"
#include "dispatcher/api/message_json.h"

namespace hookd {
namespace {

namespace http = boost::beast::http;
using std::chrono::milliseconds;

// The protocol's own bound of Connect-Timeout-Ms.
constexpr size_t kMaxTimeoutDigits = 10;
constexpr char kCompressed = 0x01;
constexpr char kEndOfStream = 0x02;
constexpr std::string_view kJsonType = "application/json";

struct CodeForm {
  absl::StatusCode code;
  std::string_view name;
  unsigned http_status;
};

constexpr std::array kCodes{
    CodeForm{absl::StatusCode::kCancelled, "canceled", 499},
    CodeForm{absl::StatusCode::kUnknown, "unknown", 500},
    CodeForm{absl::StatusCode::kInvalidArgument, "invalid_argument", 400},
    CodeForm{absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504},
    CodeForm{absl::StatusCode::kNotFound, "not_found", 404},
    CodeForm{absl::StatusCode::kAlreadyExists, "already_exists", 409},
    CodeForm{absl::StatusCode::kPermissionDenied, "permission_denied", 403},
    CodeForm{absl::StatusCode::kResourceExhausted, "resource_exhausted", 429},
    CodeForm{absl::StatusCode::kFailedPrecondition, "failed_precondition", 400},
    CodeForm{absl::StatusCode::kAborted, "aborted", 409},
    CodeForm{absl::StatusCode::kOutOfRange, "out_of_range", 400},
    CodeForm{absl::StatusCode::kUnimplemented, "unimplemented", 501},
    CodeForm{absl::StatusCode::kInternal, "internal", 500},
    CodeForm{absl::StatusCode::kUnavailable, "unavailable", 503},
    CodeForm{absl::StatusCode::kDataLoss, "data_loss", 500},
    CodeForm{absl::StatusCode::kUnauthenticated, "unauthenticated", 401},
};

const CodeForm& FormOf(absl::StatusCode code) {
  const auto* found =
      std::find_if(kCodes.begin(), kCodes.end(), [code](const CodeForm& form) { return form.code == code; });
  return found == kCodes.end() ? kCodes[1] : *found;
}

std::string ErrorJson(const absl::Status& status) {
  const std::string_view message(status.message().data(), status.message().size());
  return Concat(R"({"code":")", FormOf(status.code()).name, R"(","message":)", JsonQuote(message), "}");
}

std::string Frame(char flags, std::string_view payload) {
  std::string frame(1, flags);
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
  frame += payload;
  return frame;
}

std::string_view ValueOf(const HttpRequestHeader& request, std::string_view name) {
  const auto value = request[{name.data(), name.size()}];
  return {value.data(), value.size()};
}

// A JSON error with another HTTP status than its code's.
HttpAnswer Refusal(http::status http_status, const absl::Status& status) {
  HttpAnswer answer = MakeError({}, status);
  answer.result(http_status);
  return answer;
}

// A page whose own name was made to resolve to this machine (DNS rebinding) is of the same origin to its
// browser, and names itself here; an address and localhost cannot be made to mean another.
bool HostMayCall(std::string_view host) {
  if (host.empty() || host.front() == '[') return true;
  host = host.substr(0, host.rfind(':'));
  const auto of_address = [](char c) {
    return c == '.' || absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  return std::all_of(host.begin(), host.end(), of_address) ||
         absl::AsciiStrToLower({host.data(), host.size()}) == "localhost";
}

// "/hookd.v1.Service/Method"; null = there is none.
const google::protobuf::MethodDescriptor* FindMethod(std::string_view path,
                                                     const google::protobuf::DescriptorPool& services) {
  path.remove_prefix(1);
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const auto* service = services.FindServiceByName(std::string(path.substr(0, slash)));
  return service == nullptr ? nullptr : service->FindMethodByName(std::string(path.substr(slash + 1)));
}

// Of a Content-Type without its parameters, but a charset other than UTF-8.
std::optional<ConnectForm> FormOfType(std::string_view type) {
  const std::string lower = absl::AsciiStrToLower({type.data(), type.size()});
  const size_t parameters = lower.find(';');
  const std::string charset(absl::StripAsciiWhitespace(
      parameters == std::string::npos ? std::string() : lower.substr(parameters + 1)));
  if (!charset.empty() && charset != "charset=utf-8" && charset != "charset=\"utf-8\"") return std::nullopt;
  const std::string name(absl::StripAsciiWhitespace(lower.substr(0, parameters)));
  for (const bool json : {true, false}) {
    for (const bool stream : {false, true}) {
      const ConnectForm form{json, stream};
      if (name == ContentType(form)) return form;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<milliseconds>> ReadTimeout(std::string_view text, bool stream) {
  if (text.empty()) return stream ? std::nullopt : std::optional(kDefaultCallTimeout);
  uint64_t count = 0;
  const bool digits = std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || text.size() > kMaxTimeoutDigits || !absl::SimpleAtoi({text.data(), text.size()}, &count)) {
    return absl::InvalidArgumentError("Connect-Timeout-Ms: give whole milliseconds, at most 10 digits");
  }
  const milliseconds timeout(count);
  return std::optional(stream ? timeout : std::min(timeout, kMaxCallTimeout));
}

// What is wrong with the header of a call that is otherwise one.
absl::Status CheckHeader(const HttpRequestHeader& request, ConnectForm form) {
  const std::string_view version = ValueOf(request, "Connect-Protocol-Version");
  if (!version.empty() && version != "1") {
    return absl::InvalidArgumentError("Connect-Protocol-Version: only 1 is known");
  }
  const std::string_view header = form.stream ? "Connect-Content-Encoding" : "Content-Encoding";
  const std::string_view encoding = ValueOf(request, header);
  if (!encoding.empty() && encoding != "identity") {
    return absl::UnimplementedError(
        Concat(header, ": send the body as it is, identity is all that is known"));
  }
  const std::string_view authorization = ValueOf(request, "Authorization");
  const auto visible = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (!std::all_of(authorization.begin(), authorization.end(), visible)) {
    return absl::InvalidArgumentError("Authorization: only visible ASCII may stand in it");
  }
  return absl::OkStatus();
}

}  // namespace

ConnectHeader ReadConnectHeader(const HttpRequestHeader& request,
                                const google::protobuf::DescriptorPool& services, bool any_host) {
  ConnectHeader header;
  const auto raw = request.target();
  const std::string_view target(raw.data(), raw.size());
  const auto* method = FindMethod(target.substr(0, target.find('?')), services);
  if (method == nullptr) {
    header.refusal = Refusal(http::status::not_found,
                             absl::UnimplementedError("there is no such procedure, see docs/api.md"));
    return header;
  }
  if (!any_host && !HostMayCall(ValueOf(request, "Host"))) {
    header.refusal =
        MakeError({}, absl::PermissionDeniedError(
                          "Host: call by the address, or localhost; a proxy has to send one of them"));
    return header;
  }
  if (request.method() != http::verb::post) {
    header.refusal = Refusal(http::status::method_not_allowed, absl::UnimplementedError("use POST"));
    header.refusal->set(http::field::allow, "POST");
    return header;
  }
  const std::optional<ConnectForm> form = FormOfType(ValueOf(request, "Content-Type"));
  if (method->client_streaming()) {
    header.refusal = MakeError(form.value_or(ConnectForm{}),
                               absl::UnimplementedError("streams of the client need gRPC, see docs/api.md"));
    return header;
  }
  const bool stream = method->server_streaming();
  if (!form.has_value() || form->stream != stream) {
    const std::string_view json = ContentType({.json = true, .stream = stream});
    const std::string types = Concat(json, ", ", ContentType({.json = false, .stream = stream}));
    header.refusal =
        Refusal(http::status::unsupported_media_type, absl::UnknownError(Concat("Content-Type: use ", json)));
    header.refusal->set("Accept-Post", types);
    return header;
  }
  absl::Status wrong = CheckHeader(request, *form);
  auto timeout = ReadTimeout(ValueOf(request, "Connect-Timeout-Ms"), stream);
  if (wrong.ok()) wrong = timeout.status();
  if (!wrong.ok()) {
    header.refusal = MakeError(*form, wrong);
    header.refusal->set(form->stream ? "Connect-Accept-Encoding" : "Accept-Encoding", "identity");
    return header;
  }
  header.method = method;
  header.form = *form;
  header.timeout = *timeout;
  header.lasting = stream || method->full_name() == "hookd.v1.EventService.PollEvents";
  header.authorization = std::string(ValueOf(request, "Authorization"));
  return header;
}

absl::StatusOr<std::string_view> OnlyFrame(std::string_view body) {
  if (body.size() < kEnvelopeBytes) {
    return absl::InvalidArgumentError("the body must be one enveloped message: flags, length, message");
  }
  if ((body[0] & kCompressed) != 0) {
    return absl::UnimplementedError("send the message as it is: it is flagged as compressed");
  }
  uint64_t length = 0;
  for (size_t i = 1; i < kEnvelopeBytes; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
  if (body[0] != 0 || length != body.size() - kEnvelopeBytes) {
    return absl::InvalidArgumentError("the body must be one enveloped message, of the length that it says");
  }
  return body.substr(kEnvelopeBytes);
}

HttpAnswer MakeAnswer(ConnectForm form, std::string message) {
  HttpAnswer answer(http::status::ok, 11);
  const std::string_view type = ContentType(form);
  answer.set(http::field::content_type, {type.data(), type.size()});
  answer.body() = std::move(message);
  return answer;
}

HttpAnswer MakeError(ConnectForm form, const absl::Status& status) {
  if (form.stream) return MakeAnswer(form, EndFrame(status));
  HttpAnswer answer = MakeAnswer({}, ErrorJson(status));
  answer.result(FormOf(status.code()).http_status);
  return answer;
}

std::string_view ContentType(ConnectForm form) {
  if (form.stream) return form.json ? "application/connect+json" : "application/connect+proto";
  return form.json ? kJsonType : "application/proto";
}

std::string MessageFrame(std::string_view message) { return Frame(0, message); }

std::string EndFrame(const absl::Status& status) {
  return Frame(kEndOfStream, status.ok() ? "{}" : Concat(R"({"error":)", ErrorJson(status), "}"));
}

}  // namespace hookd
