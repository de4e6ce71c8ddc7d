#include "tests/fakes/dns_responder.h"

#include <array>
#include <cctype>
#include <mutex>
#include <string_view>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

namespace hookd::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;

constexpr int kTypeA = 1;
constexpr int kTypeAaaa = 28;
constexpr size_t kHeaderBytes = 12;

void Put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

struct Question {
  std::string name;
  int type = 0;
  size_t end = 0;  // offset behind it; 0 = not understood
};

Question Parse(std::string_view query) {
  Question question;
  size_t at = kHeaderBytes;
  while (at < query.size() && query[at] != 0) {
    size_t length = static_cast<unsigned char>(query[at]);
    if (length > 63 || at + 1 + length >= query.size()) return {};
    if (!question.name.empty()) question.name += '.';
    for (char c : query.substr(at + 1, length)) question.name += static_cast<char>(std::tolower(c));
    at += 1 + length;
  }
  if (at + 5 > query.size()) return {};
  question.type = static_cast<unsigned char>(query[at + 2]);
  question.end = at + 5;
  return question;
}

std::string Reply(std::string_view query, const Question& question, const DnsAnswer& answer) {
  std::vector<std::string> records;
  if (answer.rcode == 0) {
    for (const std::string& text : question.type == kTypeA ? answer.v4 : answer.v6) {
      auto address = asio::ip::make_address(text);
      if (address.is_v4()) {
        auto bytes = address.to_v4().to_bytes();
        records.emplace_back(bytes.begin(), bytes.end());
      } else {
        auto bytes = address.to_v6().to_bytes();
        records.emplace_back(bytes.begin(), bytes.end());
      }
    }
  }
  std::string out(query.substr(0, 2));
  Put16(out, 0x8180u | static_cast<unsigned>(answer.rcode));  // a response, recursion desired and available
  Put16(out, 1);
  Put16(out, static_cast<unsigned>(records.size()));
  Put16(out, 0);
  Put16(out, 0);
  out += query.substr(kHeaderBytes, question.end - kHeaderBytes);
  for (const std::string& record : records) {
    Put16(out, 0xc000u | kHeaderBytes);  // the question's name
    Put16(out, static_cast<unsigned>(question.type));
    Put16(out, 1);
    Put16(out, answer.ttl >> 16);
    Put16(out, answer.ttl & 0xffff);
    Put16(out, static_cast<unsigned>(record.size()));
    out += record;
  }
  return out;
}

}  // namespace

class DnsResponder::Impl {
 public:
  explicit Impl(std::map<std::string, DnsAnswer> names)
      : names_(std::move(names)), socket_(io_, udp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    port_ = socket_.local_endpoint().port();
    Receive();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    io_.stop();
    thread_.join();
  }

  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, size_t> queries_;   // mutex_
  std::map<std::string, DnsAnswer> names_;  // mutex_

 private:
  void Receive() {
    socket_.async_receive_from(asio::buffer(in_), peer_,
                               [this](boost::system::error_code error, size_t bytes) {
                                 if (error == asio::error::operation_aborted) return;
                                 if (!error && bytes > kHeaderBytes) Answer({in_.data(), bytes});
                                 Receive();
                               });
  }

  void Answer(std::string_view query) {
    Question question = Parse(query);
    if (question.end == 0) return;
    DnsAnswer answer;
    answer.rcode = 3;
    {
      std::lock_guard lock(mutex_);
      ++queries_[question.name];
      if (auto it = names_.find(question.name); it != names_.end()) answer = it->second;
    }
    if (answer.silent || (question.type != kTypeA && question.type != kTypeAaaa)) return;
    boost::system::error_code ignored;
    const std::string reply =
        answer.raw ? std::string(query.substr(0, 2)) + *answer.raw : Reply(query, question, answer);
    socket_.send_to(asio::buffer(reply), peer_, 0, ignored);
  }

  asio::io_context io_{1};
  udp::socket socket_;
  udp::endpoint peer_;
  std::array<char, 1500> in_;
  std::thread thread_;
};

DnsResponder::DnsResponder(std::map<std::string, DnsAnswer> names)
    : impl_(std::make_unique<Impl>(std::move(names))) {}
DnsResponder::~DnsResponder() = default;

void DnsResponder::Set(const std::string& name, DnsAnswer answer) {
  std::lock_guard lock(impl_->mutex_);
  impl_->names_[name] = std::move(answer);
}

std::string DnsResponder::address() const { return "127.0.0.1:" + std::to_string(impl_->port_); }

size_t DnsResponder::queries(const std::string& name) const {
  std::lock_guard lock(impl_->mutex_);
  auto it = impl_->queries_.find(name);
  return it == impl_->queries_.end() ? 0 : it->second;
}

}  // namespace hookd::testing
