// The Connect protocol (connectrpc.com/docs/protocol, version 1) as values: what a request's header asks for,
// and how answers, errors and the frames of a stream look. Neither sockets nor calls.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <google/protobuf/descriptor.h>

namespace hookd {

// Of a unary call whose client names none, and the most that is given. A stream without one has none.
inline constexpr std::chrono::milliseconds kDefaultCallTimeout = std::chrono::seconds(45);
inline constexpr std::chrono::milliseconds kMaxCallTimeout = std::chrono::minutes(5);
inline constexpr size_t kEnvelopeBytes = 5;

using HttpRequestHeader = boost::beast::http::request_header<>;
using HttpAnswer = boost::beast::http::response<boost::beast::http::string_body>;

// Paths under it are procedures: /hookd.v1.Service/Method.
inline constexpr std::string_view kProcedurePrefix = "/hookd.v1.";

// How a body is written.
struct ConnectForm {
  bool json = true;
  bool stream = false;  // enveloped frames
};

struct ConnectHeader {
  // Set = the answer to the request, whatever its body; all else is unset then.
  std::optional<HttpAnswer> refusal;
  const google::protobuf::MethodDescriptor* method = nullptr;
  ConnectForm form;
  // Bounded; none = a stream without one.
  std::optional<std::chrono::milliseconds> timeout;
  std::string authorization;  // visible ASCII; empty = none
  bool lasting = false;       // a stream, or a poll that may wait: of such, fewer at a time
};

// `services` outlives the result. `any_host`: also by a name that is not localhost. Only where calls need a
// token, which a page that made its own name mean this machine does not have.
ConnectHeader ReadConnectHeader(const HttpRequestHeader& request,
                                const google::protobuf::DescriptorPool& services, bool any_host = false);

// The message of a streaming request: its only frame. INVALID_ARGUMENT or UNIMPLEMENTED (compressed).
absl::StatusOr<std::string_view> OnlyFrame(std::string_view body);

HttpAnswer MakeAnswer(ConnectForm form, std::string message);
// Unary: a JSON error with the code's HTTP status. Stream: 200 and the frame that ends it.
HttpAnswer MakeError(ConnectForm form, const absl::Status& status);

// "application/connect+json" and so on.
std::string_view ContentType(ConnectForm form);
std::string MessageFrame(std::string_view message);
// The last frame of a stream; OK = it ended well.
std::string EndFrame(const absl::Status& status);

}  // namespace hookd
