// Requests on the HTTP port, from their first byte to the call that they ask for. The input: a request.
#include <string>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "dispatcher/api/connect_protocol.h"
#include "dispatcher/api/http_port.h"
#include "dispatcher/api/message_json.h"
#include "tests/fakes/api_files.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

namespace http = boost::beast::http;
using fuzz::Must;

// A refusal is an answer that a client can read.
void CheckRefusal(const HttpAnswer& refusal) {
  const unsigned status = refusal.result_int();
  Must(status == 200 || (status >= 400 && status < 502 && status != 500), "a refusal has a refusal's status");
  Must(refusal.body().size() < 2048, "a refusal is short");
  Must(!refusal[http::field::content_type].empty(), "a refusal says what it is");
}

void CheckCall(const ConnectHeader& header, std::string_view body) {
  Must(header.method != nullptr, "a call has a method");
  Must(!header.method->client_streaming(), "streams of clients need gRPC");
  Must(header.timeout.has_value() || header.form.stream, "a call has a deadline");
  Must(header.form.stream || *header.timeout <= kMaxCallTimeout, "within its bound");
  for (const char c : header.authorization) Must(c >= 0x20 && c < 0x7f, "a token is visible ASCII");
  if (header.form.stream) {
    const absl::StatusOr<std::string_view> frame = OnlyFrame(body);
    if (!frame.ok()) return;
    Must(frame->size() + kEnvelopeBytes == body.size(), "a frame is all of the body");
    Must(MessageFrame(*frame) == body, "a frame is written as it was read");
    body = *frame;
  }
  if (header.form.json) static_cast<void>(EncodedFromJson(*header.method->input_type(), body));
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static const bool linked = !testing::ApiMethods().empty();
  fuzz::Must(linked, "every call is here");
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHttpHeaderBytes);
  parser.body_limit(1 << 20);
  parser.eager(true);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(data, size), error);
  if (error || !parser.is_header_done()) return 0;
  const auto& request = parser.get();
  if (!request.target().starts_with({kProcedurePrefix.data(), kProcedurePrefix.size()}))
    return 0;  // not the gateway's
  const ConnectHeader header =
      ReadConnectHeader(request, *google::protobuf::DescriptorPool::generated_pool());
  if (header.refusal) {
    CheckRefusal(*header.refusal);
  } else {
    CheckCall(header, request.body());
  }
  return 0;
}
