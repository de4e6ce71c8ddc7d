// A connection of the HTTP port, with TLS or without; what reads and writes it need not know.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

namespace hookd {

// On the socket's executor, which has one thread. An operation that takes longer than was given with
// expires_after fails. One reading and one writing operation at a time; the stream and what an operation is
// given by reference must outlive it. A handler runs once, never within the call.
//
// Not templates, as Beast's operations are long to compile: all of them are in port_stream.cc.
class PortStream {
 public:
  using Handler = std::function<void(boost::system::error_code)>;
  using HeaderParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using BodyParser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using HeaderSerializer = boost::beast::http::response_serializer<boost::beast::http::empty_body>;
  // NOLINTNEXTLINE(readability-identifier-naming): Asio asks for this name.
  using executor_type = boost::beast::tcp_stream::executor_type;

  // `tls` null = none; else Handshake comes first.
  PortStream(boost::asio::ip::tcp::socket socket, std::shared_ptr<boost::asio::ssl::context> tls);

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  boost::asio::ip::tcp::socket& socket() { return tcp_.socket(); }
  bool has_tls() const { return tls_.has_value(); }
  template <typename Time>
  void expires_after(Time time) {
    tcp_.expires_after(time);
  }
  void expires_never() { tcp_.expires_never(); }

  // Only with TLS.
  void Handshake(Handler handler);
  void CloseTls(Handler handler);

  void ReadHeader(boost::beast::flat_buffer& buffer, HeaderParser& parser, Handler handler);
  // A piece of the body, and all of it.
  void ReadSome(boost::beast::flat_buffer& buffer, BodyParser& parser, Handler handler);
  void Read(boost::beast::flat_buffer& buffer, BodyParser& parser, Handler handler);
  // Bytes as they come, past TLS.
  void ReadRaw(boost::asio::mutable_buffer buffer, Handler handler);

  void Write(Response& response, Handler handler);
  void WriteHeader(HeaderSerializer& serializer, Handler handler);
  void WriteText(boost::asio::const_buffer text, Handler handler);
  // A chunk of a chunked body, and its end.
  void WriteChunk(boost::asio::const_buffer bytes, Handler handler);
  void WriteLastChunk(Handler handler);

  // Beast's and Asio's requirements of an asynchronous stream, for the above.
  template <typename Buffers, typename Operation>
  void async_read_some(const Buffers& buffers, Operation&& operation) {
    ReadInto(*boost::asio::buffer_sequence_begin(buffers), Erased(std::forward<Operation>(operation)));
  }
  template <typename Buffers, typename Operation>
  void async_write_some(const Buffers& buffers, Operation&& operation) {
    WriteFrom({boost::asio::buffer_sequence_begin(buffers), boost::asio::buffer_sequence_end(buffers)},
              Erased(std::forward<Operation>(operation)));
  }

 private:
  using Step = std::function<void(boost::system::error_code, size_t)>;

  // Beast's operations can be moved alone.
  template <typename Operation>
  static Step Erased(Operation&& operation) {
    auto shared = std::make_shared<std::decay_t<Operation>>(std::forward<Operation>(operation));
    return [shared](boost::system::error_code error, size_t bytes) { std::move (*shared)(error, bytes); };
  }
  void ReadInto(boost::asio::mutable_buffer buffer, Step step);
  void WriteFrom(std::vector<boost::asio::const_buffer> buffers, Step step);

  const std::shared_ptr<boost::asio::ssl::context> context_;  // of a certificate that may be another by now
  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

// The peer's address without its port; empty = it is gone.
std::string RemoteAddress(PortStream& stream);

}  // namespace hookd
