// One request of an HTTP connection to ProviderRest: reads it whole, within its bounds, and has it answered.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/beast/core/flat_buffer.hpp>

#include "dispatcher/api/port_stream.h"
#include "dispatcher/api/provider_rest.h"

namespace hookd {

// Lives in its own handlers; the connection's thread. `stream` and `buffer` are the connection's, which
// `done` keeps alive.
class RestExchange : public std::enable_shared_from_this<RestExchange> {
 public:
  using HeaderParser = PortStream::HeaderParser;

  RestExchange(PortStream& stream, boost::beast::flat_buffer& buffer, ProviderRest& rest,
               std::chrono::milliseconds timeout, std::function<void(RestAnswer)> done);

  // `parser` has read the header. `done` runs once, unless the connection breaks; the connection ends with
  // the answer.
  void Start(HeaderParser&& parser);

 private:
  void OnRead(boost::system::error_code error);

  PortStream& stream_;
  boost::beast::flat_buffer& buffer_;
  ProviderRest& rest_;
  const std::chrono::milliseconds timeout_;
  const std::function<void(RestAnswer)> done_;
  std::shared_ptr<void> place_;
  std::optional<PortStream::BodyParser> parser_;
};

}  // namespace hookd
