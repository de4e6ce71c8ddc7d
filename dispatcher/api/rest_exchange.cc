#include "dispatcher/api/rest_exchange.h"

#include <utility>

#include <boost/beast/http/error.hpp>

namespace hookd {
namespace {

namespace http = boost::beast::http;

std::string ToString(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RestExchange::RestExchange(PortStream& stream, boost::beast::flat_buffer& buffer, ProviderRest& rest,
                           std::chrono::milliseconds timeout, std::function<void(RestAnswer)> done)
    : stream_(stream), buffer_(buffer), rest_(rest), timeout_(timeout), done_(std::move(done)) {}

void RestExchange::Start(HeaderParser&& parser) {
  place_ = rest_.TakePlace();
  if (place_ == nullptr) return done_(ProviderRest::Busy(ToString(parser.get().target())));
  const uint64_t announced = parser.content_length().value_or(0);
  parser_.emplace(std::move(parser));
  parser_->body_limit(kMaxRestBodyBytes);  // acts on chunks; what was announced has passed already
  if (announced > kMaxRestBodyBytes) return OnRead(http::error::body_limit);
  stream_.expires_after(timeout_);
  stream_.Read(buffer_, *parser_,
               [self = shared_from_this()](boost::system::error_code error) { self->OnRead(error); });
}

void RestExchange::OnRead(boost::system::error_code error) {
  if (error && error != http::error::body_limit) return;
  RestRequest request;
  request.body_too_large = error == http::error::body_limit;
  const auto& message = parser_->get();
  request.method = ToString(message.method_string());
  request.target = ToString(message.target());
  for (const auto& field : message.base()) {
    request.headers.emplace_back(ToString(field.name_string()), ToString(field.value()));
  }
  request.remote = RemoteAddress(stream_);
  if (!request.body_too_large) request.body = std::move(parser_->get().body());
  stream_.expires_never();
  rest_.Start(std::move(request), stream_.get_executor(), [self = shared_from_this()](RestAnswer answer) {
    self->place_.reset();
    self->done_(std::move(answer));
  });
}

}  // namespace hookd
