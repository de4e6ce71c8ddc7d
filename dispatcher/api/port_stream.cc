#include "dispatcher/api/port_stream.h"

#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace hookd {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

// One type of handler for all operations: each is compiled once.
auto Ended(PortStream::Handler handler) {
  return [handler = std::move(handler)](error_code error, size_t) { handler(error); };
}

}  // namespace

PortStream::PortStream(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> tls)
    : context_(std::move(tls)), tcp_(std::move(socket)) {
  if (context_ != nullptr) tls_.emplace(tcp_, *context_);
}

void PortStream::Handshake(Handler handler) {
  tls_->async_handshake(asio::ssl::stream_base::server, std::move(handler));
}

void PortStream::CloseTls(Handler handler) { tls_->async_shutdown(std::move(handler)); }

void PortStream::ReadHeader(boost::beast::flat_buffer& buffer, HeaderParser& parser, Handler handler) {
  http::async_read_header(*this, buffer, parser, Ended(std::move(handler)));
}

void PortStream::ReadSome(boost::beast::flat_buffer& buffer, BodyParser& parser, Handler handler) {
  http::async_read_some(*this, buffer, parser, Ended(std::move(handler)));
}

void PortStream::Read(boost::beast::flat_buffer& buffer, BodyParser& parser, Handler handler) {
  http::async_read(*this, buffer, parser, Ended(std::move(handler)));
}

void PortStream::ReadRaw(asio::mutable_buffer buffer, Handler handler) {
  tcp_.async_read_some(buffer, Step(Ended(std::move(handler))));
}

void PortStream::Write(Response& response, Handler handler) {
  http::async_write(*this, response, Ended(std::move(handler)));
}

void PortStream::WriteHeader(HeaderSerializer& serializer, Handler handler) {
  http::async_write_header(*this, serializer, Ended(std::move(handler)));
}

void PortStream::WriteText(asio::const_buffer text, Handler handler) {
  asio::async_write(*this, text, Ended(std::move(handler)));
}

void PortStream::WriteChunk(asio::const_buffer bytes, Handler handler) {
  asio::async_write(*this, http::make_chunk(bytes), Ended(std::move(handler)));
}

void PortStream::WriteLastChunk(Handler handler) {
  asio::async_write(*this, http::make_chunk_last(), Ended(std::move(handler)));
}

void PortStream::ReadInto(asio::mutable_buffer buffer, Step step) {
  if (tls_) return tls_->async_read_some(buffer, std::move(step));
  tcp_.async_read_some(buffer, std::move(step));
}

void PortStream::WriteFrom(std::vector<asio::const_buffer> buffers, Step step) {
  if (tls_) return tls_->async_write_some(buffers, std::move(step));
  tcp_.async_write_some(buffers, std::move(step));
}

std::string RemoteAddress(PortStream& stream) {
  error_code error;
  const auto peer = stream.socket().remote_endpoint(error);
  return error ? std::string() : peer.address().to_string();
}

}  // namespace hookd
