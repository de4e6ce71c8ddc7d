#include "dispatcher/api/bin_exchange.h"

#include <algorithm>
#include <utility>

#include <boost/beast/http/error.hpp>

#include "base/concat.h"

namespace hookd {
namespace {

namespace http = boost::beast::http;

std::string ToString(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string IdOf(std::string_view target) {
  target.remove_prefix(std::string_view(kBinPrefix).size());
  return std::string(target.substr(0, target.find_first_of("/?")));
}

}  // namespace

BinExchange::BinExchange(PortStream& stream, boost::beast::flat_buffer& buffer, BinStore& bins,
                         std::chrono::milliseconds timeout, std::function<void(Answer)> done)
    : stream_(stream), buffer_(buffer), bins_(bins), timeout_(timeout), done_(std::move(done)) {}

void BinExchange::Start(HeaderParser&& parser) {
  id_ = IdOf(ToString(parser.get().target()));
  announced_ = parser.content_length().value_or(0);
  if (!bins_.StatusOf(id_)) return done_({404, "there is no such bin\n", false});
  place_ = bins_.TakeRead();
  if (place_ == nullptr) {
    return done_({503, Concat(kMaxBinReads, " requests to bins are being received: try again\n"), false});
  }
  parser_.emplace(std::move(parser));
  parser_->body_limit(kMaxBinBodyBytes);  // acts on chunks; what was announced has passed already
  if (announced_ > kMaxBinBodyBytes) return OnRead(http::error::body_limit);
  stream_.expires_after(timeout_);
  stream_.Read(buffer_, *parser_,
               [self = shared_from_this()](boost::system::error_code error) { self->OnRead(error); });
}

void BinExchange::OnRead(boost::system::error_code error) {
  const bool too_large = error == http::error::body_limit;
  if (error && !too_large) return;
  CapturedRequest request = Received();
  if (too_large) request.status = 413;
  const int status = request.status;
  const std::optional<int> answered = bins_.Keep(id_, std::move(request));
  place_.reset();
  const bool head = parser_->get().method() == http::verb::head;
  if (!answered) return done_({404, "there is no such bin\n", head});
  if (too_large) {
    return done_({status, Concat("the body is larger than ", kMaxBinBodyBytes, " bytes\n"), head});
  }
  done_({status, "", head});
}

CapturedRequest BinExchange::Received() const {
  const auto& message = parser_->get();
  CapturedRequest request;
  request.method = ToString(message.method_string());
  request.target = ToString(message.target());
  boost::system::error_code error;
  const auto peer = stream_.socket().remote_endpoint(error);
  if (!error) {
    const std::string address = peer.address().to_string();
    request.remote_address =
        peer.address().is_v6() ? Concat("[", address, "]:", peer.port()) : Concat(address, ":", peer.port());
  }
  for (const auto& field : message.base()) {
    request.headers.push_back({ToString(field.name_string()), ToString(field.value()), false});
  }
  request.body = message.body();
  request.body_bytes = std::max<uint64_t>(announced_, request.body.size());
  request.status = bins_.StatusOf(id_).value_or(200);
  return request;
}

}  // namespace hookd
