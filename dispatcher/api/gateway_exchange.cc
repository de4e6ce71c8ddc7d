#include "dispatcher/api/gateway_exchange.h"

#include <utility>

#include <boost/asio/buffer.hpp>

#include "base/concat.h"

namespace hookd {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

GatewayExchange::GatewayExchange(PortStream& stream, boost::beast::flat_buffer& buffer, Gateway& gateway,
                                 std::chrono::milliseconds answer_timeout,
                                 std::function<void(Connection)> on_end)
    : stream_(stream),
      buffer_(buffer),
      gateway_(gateway),
      answer_timeout_(answer_timeout),
      on_end_(std::move(on_end)) {}

void GatewayExchange::Start(HeaderParser&& parser) {
  const auto& request = parser.get();
  const bool chunked = parser.chunked();
  const uint64_t length = parser.content_length().value_or(0);  // chunked: 0, its place grows as it comes
  body_read_ = !chunked && length == 0;
  keep_ = parser.keep_alive();
  header_ = ReadConnectHeader(request.base(), gateway_.services(), gateway_.any_host());
  if (header_.refusal.has_value()) return Write(*std::move(header_.refusal));
  if (header_.form.stream && request.version() < 11) {
    return Write(MakeError(header_.form, absl::UnimplementedError("streams need HTTP/1.1")));
  }
  if (length > kMaxGatewayBodyBytes) {
    return Write(MakeError(header_.form, absl::ResourceExhaustedError("the body is larger than 7 MiB")));
  }
  auto place = gateway_.Admit(header_.lasting, length);
  if (!place.ok()) return Write(MakeError(header_.form, place.status()));
  place_ = *std::move(place);

  const bool expects = request[http::field::expect] == "100-continue";
  body_.emplace(std::move(parser));
  body_->body_limit(kMaxGatewayBodyBytes);
  if (!expects) return ReadBody();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  stream_.WriteText(asio::buffer(kContinue), [self = shared_from_this()](error_code error) {
    if (error) return self->End(Connection::kBroken);
    self->ReadBody();
  });
}

void GatewayExchange::ReadBody() {
  if (body_->is_done()) return OnBody();
  stream_.ReadSome(buffer_, *body_, [self = shared_from_this()](error_code error) { self->OnPiece(error); });
}

void GatewayExchange::OnPiece(error_code error) {
  if (error == http::error::body_limit) {
    return Write(MakeError(header_.form, absl::ResourceExhaustedError("the body is larger than 7 MiB")));
  }
  if (error) return End(Connection::kBroken);  // gone, too slow, or not HTTP
  const absl::Status room = place_->Hold(body_->get().body().capacity());
  if (!room.ok()) return Write(MakeError(header_.form, room));
  ReadBody();
}

void GatewayExchange::OnBody() {
  body_read_ = true;
  if (header_.form.stream) {
    const absl::StatusOr<std::string_view> message = OnlyFrame(body_->get().body());
    if (!message.ok()) return Write(MakeError(header_.form, message.status()));
    body_->get().body().erase(0, kEnvelopeBytes);
    return WriteStreamHeader();
  }
  Call();
}

void GatewayExchange::Call() {
  GatewayRequest request;
  request.method = header_.method;
  request.json = header_.form.json;
  request.timeout = header_.timeout;
  request.authorization = std::move(header_.authorization);
  request.remote_address = RemoteAddress(stream_);
  request.message = std::move(body_->get().body());
  request.place = place_;
  stream_.expires_never();
  WatchForItsEnd();
  call_ = gateway_.Start(std::move(request), shared_from_this(), stream_.get_executor());
}

// A call whose client has gone is canceled. A client that sends on is not watched any more, or cut if it is
// on a stream, which has no end that it could wait for. With TLS, a goodbye counts as sending on.
void GatewayExchange::WatchForItsEnd() {
  watching_ = true;
  error_code ignored;
  stream_.socket().non_blocking(true, ignored);  // the look below must not wait
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    if (!self->watching_) return;
    self->watching_ = false;
    char byte = 0;
    if (!error) {
      self->stream_.socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
      if (error == asio::error::would_block) return self->WatchForItsEnd();
    }
    if (error || self->header_.form.stream) self->Broken();
  });
}

void GatewayExchange::StopWatching() {
  if (!watching_) return;
  watching_ = false;
  error_code ignored;
  stream_.socket().cancel(ignored);
}

void GatewayExchange::Broken() {
  broken_ = true;
  if (call_ != nullptr) call_->Cancel();
}

void GatewayExchange::OnMessage(std::string message) {
  if (broken_) return;  // canceled: its end comes
  if (header_.form.stream) return WriteFrame(MessageFrame(message), false);
  message_ = std::move(message);
  call_->Next();
}

void GatewayExchange::OnEnd(absl::Status status) {
  StopWatching();
  if (writing_) {
    end_ = std::move(status);
    return;
  }
  if (broken_) return End(Connection::kBroken);
  if (header_.form.stream) return WriteFrame(EndFrame(status), true);
  if (status.ok() && !message_.has_value()) status = absl::InternalError("the call had no answer");
  Write(status.ok() ? MakeAnswer(header_.form, *std::move(message_)) : MakeError(header_.form, status));
}

void GatewayExchange::Write(HttpAnswer answer) {
  const bool keep = keep_ && body_read_;
  answer.keep_alive(keep);
  answer.set(http::field::cache_control, "no-store");
  answer.prepare_payload();
  answer_ = std::move(answer);
  stream_.expires_after(answer_timeout_);
  stream_.Write(answer_, [self = shared_from_this(), keep](error_code error) {
    self->End(error ? Connection::kBroken : keep ? Connection::kKept : Connection::kUnread);
  });
}

void GatewayExchange::WriteStreamHeader() {
  const std::string_view type = ContentType(header_.form);
  stream_header_.version(11);
  stream_header_.set(http::field::content_type, {type.data(), type.size()});
  stream_header_.set(http::field::cache_control, "no-store");
  stream_header_.keep_alive(keep_);
  stream_header_.chunked(true);
  serializer_.emplace(stream_header_);
  stream_.expires_after(answer_timeout_);
  stream_.WriteHeader(*serializer_, [self = shared_from_this()](error_code error) {
    if (error) return self->End(Connection::kBroken);
    self->Call();
  });
}

void GatewayExchange::WriteFrame(std::string frame, bool last) {
  frame_ = std::move(frame);
  writing_ = true;
  stream_.expires_after(answer_timeout_);
  stream_.WriteChunk(asio::buffer(frame_), [self = shared_from_this(), last](error_code error) {
    self->writing_ = false;
    if (error) self->Broken();
    if (last) return self->EndStream();
    if (self->end_) return self->OnEnd(*std::exchange(self->end_, std::nullopt));
    self->stream_.expires_never();
    if (!error) self->call_->Next();
  });
}

void GatewayExchange::EndStream() {
  if (broken_) return End(Connection::kBroken);
  stream_.WriteLastChunk([self = shared_from_this()](error_code error) {
    self->End(error ? Connection::kBroken : self->keep_ ? Connection::kKept : Connection::kUnread);
  });
}

void GatewayExchange::End(Connection connection) {
  call_.reset();
  place_.reset();
  std::exchange(on_end_, nullptr)(connection);
}

}  // namespace hookd
