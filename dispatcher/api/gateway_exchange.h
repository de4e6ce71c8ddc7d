// One request of an HTTP connection through the gateway: reads its body, makes the call, writes the answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

#include "dispatcher/api/connect_protocol.h"
#include "dispatcher/api/gateway.h"
#include "dispatcher/api/port_stream.h"

namespace hookd {

// Lives in its own handlers. On the stream's executor, which has one thread.
class GatewayExchange final : public GatewayListener, public std::enable_shared_from_this<GatewayExchange> {
 public:
  using HeaderParser = PortStream::HeaderParser;
  // What the connection is good for afterwards.
  enum class Connection {
    kKept,    // for the next request
    kUnread,  // to be closed; the client may still be sending
    kBroken,
  };

  // `stream` and `buffer` belong to what `on_end` holds. It is called once, as the last thing.
  // A client that does not take an answer, or a message, within `answer_timeout` is cut.
  GatewayExchange(PortStream& stream, boost::beast::flat_buffer& buffer, Gateway& gateway,
                  std::chrono::milliseconds answer_timeout, std::function<void(Connection)> on_end);

  // `parser` has read the header, without a bound on the body. The stream's expiry is that of the request.
  void Start(HeaderParser&& parser);

  void OnMessage(std::string message) override;
  void OnEnd(absl::Status status) override;

 private:
  void ReadBody();
  void OnPiece(boost::system::error_code error);
  void OnBody();
  void Call();
  void WatchForItsEnd();
  void StopWatching();
  // Ends the exchange with this answer.
  void Write(HttpAnswer answer);
  void WriteStreamHeader();
  // One frame of a stream; `last` ends the exchange.
  void WriteFrame(std::string frame, bool last);
  void EndStream();
  void Broken();
  void End(Connection connection);

  PortStream& stream_;
  boost::beast::flat_buffer& buffer_;
  Gateway& gateway_;
  const std::chrono::milliseconds answer_timeout_;
  std::function<void(Connection)> on_end_;

  ConnectHeader header_;
  std::optional<PortStream::BodyParser> body_;
  std::shared_ptr<GatewayPlace> place_;
  std::shared_ptr<GatewayCall> call_;
  bool keep_ = false;
  bool body_read_ = false;
  bool watching_ = false;
  bool broken_ = false;
  bool writing_ = false;             // a message of a stream
  std::optional<absl::Status> end_;  // came while that was written

  std::optional<std::string> message_;  // of a unary call
  HttpAnswer answer_;
  std::string frame_;
  boost::beast::http::response<boost::beast::http::empty_body> stream_header_;
  std::optional<PortStream::HeaderSerializer> serializer_;
};

}  // namespace hookd
