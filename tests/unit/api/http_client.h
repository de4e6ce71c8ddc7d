// A plain HTTP/1.1 client on loopback whose every byte is the test's.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/concat.h"

namespace hookd::testing {

using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

// `address` is 127.0.0.1:port. Throws when the connection breaks.
class HttpClient {
 public:
  // A small `receive_buffer` makes a client that reads nothing hold the server up soon; 0 = the system's.
  explicit HttpClient(const std::string& address, int receive_buffer = 0) {
    using boost::asio::ip::tcp;
    const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    socket_.open(tcp::v4());
    if (receive_buffer > 0) socket_.set_option(boost::asio::socket_base::receive_buffer_size(receive_buffer));
    socket_.connect(tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port));
  }

  void Send(std::string_view text) {
    boost::asio::write(socket_, boost::asio::buffer(text.data(), text.size()));
  }

  HttpResponse Read() {
    boost::beast::http::response_parser<boost::beast::http::string_body> parser;
    parser.body_limit(boost::none);
    boost::beast::http::read(socket_, buffer_, parser);
    return parser.release();
  }

  // Whatever comes, until there are `size` bytes.
  std::string ReadRaw(size_t size) {
    std::string text(size, '\0');
    boost::asio::read(socket_, boost::asio::buffer(text));
    return text;
  }

  // True when the server closes the connection and has sent nothing more.
  bool AtEnd() {
    char byte = 0;
    boost::system::error_code error;
    boost::asio::read(socket_, boost::asio::buffer(&byte, 1), error);
    return error.failed();
  }

  void Close() { socket_.close(); }

  static std::string Post(std::string_view path, std::string_view body,
                          std::string_view type = "application/json", std::string_view headers = "") {
    return Concat("POST ", path, " HTTP/1.1\r\nHost: localhost\r\nContent-Type: ", type,
                  "\r\nContent-Length: ", body.size(), "\r\n", headers, "\r\n", body);
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::socket socket_{io_};
  boost::beast::flat_buffer buffer_;
};

}  // namespace hookd::testing
