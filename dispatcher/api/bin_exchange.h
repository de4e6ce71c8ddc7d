// One request to a bin: receives it whole, within its bounds, and keeps it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/core/flat_buffer.hpp>

#include "dispatcher/api/port_stream.h"
#include "dispatcher/tools/bin_store.h"

namespace hookd {

inline constexpr char kBinPrefix[] = "/bin/";

// Lives in its own handlers; the connection's thread. `stream` and `buffer` are the connection's, which
// `done` keeps alive.
class BinExchange : public std::enable_shared_from_this<BinExchange> {
 public:
  struct Answer {
    int status = 200;
    std::string text;
    bool head = false;
  };
  using HeaderParser = PortStream::HeaderParser;

  BinExchange(PortStream& stream, boost::beast::flat_buffer& buffer, BinStore& bins,
              std::chrono::milliseconds timeout, std::function<void(Answer)> done);

  // `parser` has read the header. `done` runs once, unless the connection breaks; the connection ends with
  // the answer, so that idle ones take no place of the port's.
  void Start(HeaderParser&& parser);

 private:
  void OnRead(boost::system::error_code error);
  CapturedRequest Received() const;

  PortStream& stream_;
  boost::beast::flat_buffer& buffer_;
  BinStore& bins_;
  const std::chrono::milliseconds timeout_;
  const std::function<void(Answer)> done_;
  std::shared_ptr<void> place_;
  std::optional<PortStream::BodyParser> parser_;
  std::string id_;
  uint64_t announced_ = 0;  // Content-Length
};

}  // namespace hookd
