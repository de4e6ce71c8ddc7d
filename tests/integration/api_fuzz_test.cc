// Every call of the API with requests made by chance, over gRPC and over HTTP, against hookd as it is
// shipped: it lives, says that nothing is its own fault, answers in time, and delivers at the end.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "tests/bench/child_process.h"
#include "tests/fakes/api_files.h"
#include "tests/fakes/http_receiver.h"
#include "tests/fakes/under_asan.h"
#include "tests/integration/random_messages.h"

namespace hookd::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using std::chrono::milliseconds;

constexpr size_t kRequests = kUnderAsan ? 60 : 1'000;  // per call and way
constexpr size_t kCallers = 8;
constexpr milliseconds kPatience{20'000};  // beyond it a call hangs
constexpr milliseconds kLasting{40};       // what would last is ended so soon
constexpr size_t kMaxErrorBytes = 4096;
constexpr uint64_t kSeed = 20261128;

std::unique_ptr<Message> New(const google::protobuf::Descriptor& type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

bool Lasts(const MethodDescriptor& method) {
  return method.server_streaming() || method.name() == "PollEvents";
}

std::string NameOf(const MethodDescriptor& method) {
  return absl::StrCat(method.service()->name(), "/", method.name());
}

// How often each outcome came, by call; and what may not be.
class Tally {
 public:
  void Count(const std::string& call, const std::string& outcome) {
    const absl::MutexLock lock(&mutex_);
    ++counts_[call][outcome];
  }
  void Fail(const std::string& call, const std::string& what) {
    const absl::MutexLock lock(&mutex_);
    if (++failures_ <= 20) ADD_FAILURE() << call << ": " << what;
  }
  void Print() {
    const absl::MutexLock lock(&mutex_);
    for (const auto& [call, outcomes] : counts_) {
      size_t all = 0;
      std::string text;
      for (const auto& [outcome, count] : outcomes) {
        all += count;
        absl::StrAppend(&text, text.empty() ? "" : ", ", outcome, " ", count);
      }
      std::printf("%-48s %5zu: %s\n", call.c_str(), all, text.c_str());
    }
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::map<std::string, size_t>> counts_ ABSL_GUARDED_BY(mutex_);
  size_t failures_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One connection to the HTTP port, made anew when it has ended. One thread.
class HttpPeer {
 public:
  explicit HttpPeer(const std::string& address)
      : to_(asio::ip::make_address("127.0.0.1"),
            static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))) {}

  // What came; status 0: nothing did, and the connection is closed. -1: nothing did in time.
  std::pair<int, std::string> Ask(const std::string& request) {
    for (int tries = 0; tries < 2; ++tries) {
      const bool fresh = !socket_.is_open();
      boost::system::error_code error;
      if (fresh) {
        socket_.connect(to_, error);
        buffer_.clear();
      }
      http::response_parser<http::string_body> parser;
      parser.body_limit(boost::none);
      bool ended = false;
      // The answer may come before all is taken: a request that is too large.
      asio::async_write(socket_, asio::buffer(request), [](boost::system::error_code, size_t) {});
      http::async_read(socket_, buffer_, parser, [&](boost::system::error_code e, size_t) {
        error = e;
        ended = true;
      });
      io_.restart();
      const auto deadline = std::chrono::steady_clock::now() + kPatience;
      while (!ended && std::chrono::steady_clock::now() < deadline) io_.run_one_until(deadline);
      if (!ended) {
        Close();
        return {-1, ""};
      }
      if (!error) {
        const auto& answer = parser.get();
        const std::pair<int, std::string> got(answer.result_int(), answer.body());
        if (!parser.keep_alive()) Close();
        return got;
      }
      Close();
      if (fresh) break;  // else it may have been idle for too long
    }
    return {0, ""};
  }

 private:
  void Close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    io_.restart();
    io_.poll();
  }

  asio::io_context io_{1};
  const asio::ip::tcp::endpoint to_;
  asio::ip::tcp::socket socket_{io_};
  boost::beast::flat_buffer buffer_;
};

class ApiFuzzTest : public ::testing::Test {
 protected:
  ApiFuzzTest() {
    google::protobuf::SetLogHandler(nullptr);  // of texts that are not UTF-8
    folder_ = std::filesystem::temp_directory_path() / absl::StrCat("hookd-api-fuzz-", getpid());
    std::filesystem::create_directory(folder_);
    // No name server answers, and nothing but loopback may be connected to.
    WriteConfig(absl::StrCat("data_dir: ", folder_.string(),
                             "/data\nlog: {level: warn, file: ", folder_.string(),
                             "/log}\ngrpc: {listen: '127.0.0.1:0'}\nhttp: {listen: '127.0.0.1:0'}\n",
                             "egress: {allow_loopback: true}\ntransport: {dns_servers: ['127.0.0.1:1']}\n",
                             "profiles: {dir: config/profiles, allow_http: true}\n",
                             "storage: {ballast: 0B, wal_bytes: 16MiB}\nauth: {calls_per_second: 0}\n"));
    const char* bin = std::getenv("HOOKD_BIN_DIR");
    hookd_ = std::make_unique<bench::ChildProcess>(
        std::vector<std::string>{absl::StrCat(bin == nullptr ? "build/release/bin" : bin, "/hookd"),
                                 "--config", (folder_ / "yaml").string()});
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ =
        grpc::CreateCustomChannel(hookd_->Said("grpc="), grpc::InsecureChannelCredentials(), arguments);
    http_ = hookd_->Said("http=");
  }
  ~ApiFuzzTest() override {
    hookd_.reset();
    if (!HasFailure()) std::filesystem::remove_all(folder_);
  }

  void WriteConfig(const std::string& text) {
    FILE* file = std::fopen((folder_ / "yaml").c_str(), "w");
    std::fputs(text.c_str(), file);
    std::fclose(file);
  }

  // A call that has to succeed; hookd.v1.`call`.
  template <typename Response>
  grpc::Status Ask(const std::string& call, const Message& request, Response& response) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const std::string bytes = request.SerializeAsString();
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer sent(&slice, 1);
    const auto unary = stub.PrepareUnaryCall(&context, "/hookd.v1." + call, sent, &queue);
    grpc::ByteBuffer answer;
    grpc::Status status;
    unary->StartCall();
    unary->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (status.ok() && !response.ParseFromString(TextOf(answer))) return {grpc::INTERNAL, "no answer"};
    known_.Learn(response);
    return status;
  }

  static std::string TextOf(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    buffer.Dump(&slices);
    std::string text;
    for (const grpc::Slice& slice : slices) {
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return text;
  }

  // From several threads, each with chances of its own.
  template <typename Work>
  void FromAllSides(uint64_t seed, Work work) {
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([this, seed, caller, &work] {
        RandomMessages random(seed * kCallers + caller, known_, {receiver_.Url("/a"), receiver_.Url("/b")});
        for (size_t i = caller; i < kRequests; i += kCallers) work(random);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }

  // A subscriber with an endpoint at that URL, and one event.
  void Publish(const std::string& subscriber, const std::string& url) {
    v1::CreateSubscriberRequest create;
    create.mutable_subscriber()->set_id(subscriber);
    v1::Subscriber made;
    EXPECT_TRUE(Ask("SubscriberService/CreateSubscriber", create, made).ok());
    v1::CreateEndpointRequest endpoint;
    endpoint.mutable_endpoint()->set_subscriber_id(subscriber);
    endpoint.mutable_endpoint()->set_url(url);
    v1::CreateEndpointResponse created;
    EXPECT_TRUE(Ask("EndpointService/CreateEndpoint", endpoint, created).ok());
    v1::PublishEventRequest publish;
    publish.mutable_event()->set_subscriber_id(subscriber);
    publish.mutable_event()->set_type("t");
    publish.mutable_event()->set_payload(R"({"at":"the end"})");
    v1::PublishEventResponse published;
    const grpc::Status said = Ask("EventService/PublishEvent", publish, published);
    EXPECT_TRUE(said.ok()) << said.error_message();
  }

  // Something of every kind to ask about.
  void Provide() {
    Publish(absl::StrCat("known", provided_++), receiver_.Url("/known"));
    v1::Bin bin;
    Ask("CaptureService/CreateBin", v1::CreateBinRequest(), bin);  // there may be enough of them
  }

  void Judge(const std::string& call, const std::string& code, absl::string_view text) {
    if (text.size() > kMaxErrorBytes) tally_.Fail(call, absl::StrCat(code, " in ", text.size(), " bytes"));
    if (absl::StrContains(text, RandomMessages::kMarker))
      tally_.Fail(call, absl::StrCat("shows a secret: ", text));
  }

  void CallOverGrpc(const MethodDescriptor& method, RandomMessages& random);
  void CallOverHttp(const MethodDescriptor& method, RandomMessages& random, HttpPeer& peer);
  std::string Spoilt(std::string body, RandomMessages& random);

  void ExpectAlive(const std::string& after) {
    v1::ServerStatus status;
    const grpc::Status asked = Ask("OperationsService/GetStatus", v1::GetStatusRequest(), status);
    ASSERT_TRUE(asked.ok()) << "after " << after << ": " << asked.error_message();
  }

  // Once it has come through all that, it does what it is for.
  void ExpectDelivers() {
    v1::ServerStatus status;
    ASSERT_TRUE(Ask("OperationsService/ResumeDeliveries", v1::ResumeDeliveriesRequest(), status).ok());
    HttpReceiver last;
    Publish("at-the-end", last.Url("/last"));
    ASSERT_TRUE(last.WaitForRequests(1, std::chrono::seconds(30)));
    EXPECT_EQ(last.requests().front().body, R"({"at":"the end"})");
  }

  std::filesystem::path folder_;
  HttpReceiver receiver_{[](const ReceivedRequest& request) {
    return ReceiverAnswer::Status(request.number % 5 == 0 ? 500 : 200);
  }};
  std::unique_ptr<bench::ChildProcess> hookd_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string http_;
  KnownValues known_;
  Tally tally_;
  size_t provided_ = 0;
};

const char* CodeName(grpc::StatusCode code) {
  static constexpr std::array kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && static_cast<size_t>(code) < kNames.size() ? kNames[static_cast<size_t>(code)] : "?";
}

void ApiFuzzTest::CallOverGrpc(const MethodDescriptor& method, RandomMessages& random) {
  const std::string call = absl::StrCat(NameOf(method), " gRPC");
  const size_t messages = method.client_streaming() ? 1 + random.Below(3) : 1;
  const bool garbage = random.Chance(0.03);  // is no message: gRPC itself answers
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const bool lasts = Lasts(method) && !method.client_streaming();
  context.set_deadline(std::chrono::system_clock::now() + (lasts ? kLasting : kPatience));
  const auto stream =
      stub.PrepareCall(&context, "/" + method.service()->full_name() + "/" + method.name(), &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  bool more = wait();
  for (size_t i = 0; i < messages && more; ++i) {
    std::string bytes;
    if (garbage) {
      bytes = random.Bytes(200);
    } else {
      const std::unique_ptr<Message> request = New(*method.input_type());
      random.Fill(*request);
      bytes = request->SerializePartialAsString();
    }
    const grpc::Slice slice(bytes);
    if (i + 1 == messages) {
      stream->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    } else {
      stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    }
    more = wait();
  }
  grpc::ByteBuffer answer;
  for (more = true; more;) {
    stream->Read(&answer, nullptr);
    more = wait();
    if (!more) break;
    const std::unique_ptr<Message> read = New(*method.output_type());
    if (read->ParseFromString(TextOf(answer))) {
      known_.Learn(*read);
    } else {
      tally_.Fail(call, "answers what is no answer");
    }
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  const grpc::StatusCode code = status.error_code();
  tally_.Count(call, CodeName(code));
  const bool ours = code == grpc::UNKNOWN || code == grpc::DATA_LOSS ||
                    (!garbage && (code == grpc::INTERNAL || code == grpc::UNIMPLEMENTED));
  const bool late = (code == grpc::DEADLINE_EXCEEDED || code == grpc::CANCELLED) && !lasts;
  if (ours || late) tally_.Fail(call, absl::StrCat(CodeName(code), " ", status.error_message()));
  Judge(call, CodeName(code), {status.error_message().data(), status.error_message().size()});
}

// Wrong in ways that a JSON text, and what is around it, can be.
std::string ApiFuzzTest::Spoilt(std::string body, RandomMessages& random) {
  switch (random.Below(6)) {
    case 0:
      return body.substr(0, random.Below(body.size() + 1));
    case 1:
      if (!body.empty()) body[random.Below(body.size())] = static_cast<char>(random.Below(256));
      return body;
    case 2:
      return random.Bytes(200);
    case 3: {
      // A value of another type.
      const size_t colon = body.find(':', random.Below(body.size() + 1));
      static const std::vector<std::string> kValues = {"null",  "[]",    "{}",   "1e999",
                                                       "\"x\"", "[[1]]", "true", "-1"};
      if (colon != std::string::npos)
        body.insert(colon + 1, kValues[random.Below(kValues.size())] + ",\"x\":");
      return body;
    }
    case 4:
      return std::string(random.Below(5000), '[');
    default:
      return absl::StrCat("{\"x\":", body, "}");
  }
}

void ApiFuzzTest::CallOverHttp(const MethodDescriptor& method, RandomMessages& random, HttpPeer& peer) {
  const std::string call = absl::StrCat(NameOf(method), " HTTP");
  const std::unique_ptr<Message> message = New(*method.input_type());
  random.Fill(*message);
  const bool as_json = random.Chance(0.8);
  std::string body;
  if (!as_json) {
    body = random.Chance(0.1) ? random.Bytes(200) : message->SerializePartialAsString();
  } else if (!google::protobuf::util::MessageToJsonString(*message, &body).ok()) {
    body = "{}";  // of a time that is none
  }
  if (as_json && random.Chance(0.15)) body = Spoilt(std::move(body), random);
  const bool stream = method.server_streaming();
  std::string type = Concat("application/", stream ? "connect+" : "", as_json ? "json" : "proto");
  if (random.Chance(0.03)) type = random.Chance(0.5) ? "text/plain" : "application/json; charset=latin1";
  if (stream && !random.Chance(0.05)) {
    std::string frame(1, random.Chance(0.05) ? '\1' : '\0');
    for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(body.size() >> shift));
    body = frame + body;
  }
  std::string request = Concat(random.Chance(0.02) ? "GET" : "POST", " /", method.service()->full_name(), "/",
                               method.name(), " HTTP/1.1\r\nHost: localhost\r\nContent-Type: ", type,
                               "\r\nContent-Length: ", body.size(), "\r\n");
  if (Lasts(method)) request += Concat("Connect-Timeout-Ms: ", kLasting.count(), "\r\n");
  if (random.Chance(0.02)) request += "Content-Encoding: gzip\r\nConnect-Content-Encoding: br\r\n";
  if (random.Chance(0.02)) request += "Connect-Timeout-Ms: -1\r\nConnect-Protocol-Version: 9\r\n";
  request += "\r\n";
  const auto [status, answer] = peer.Ask(request + body);
  tally_.Count(call, std::to_string(status));
  // 503 and 429 are no fault of hookd's; 504 ends what lasts; 501 is a stream of the client's, or compressed.
  static const std::set<int> kFine = {200, 400, 403, 404, 405, 409, 413, 415, 429, 503};
  const bool unknown = status == 501 && (method.client_streaming() || absl::StrContains(request, "gzip"));
  const bool fine = kFine.contains(status) || (status == 504 && Lasts(method)) || unknown;
  if (!fine)
    tally_.Fail(call,
                absl::StrCat("status ", status, ": ", answer.substr(0, 300), " to ", body.substr(0, 300)));
  if (absl::StrContains(answer, "\"code\":\"internal\"") ||
      absl::StrContains(answer, "\"code\":\"unknown\"") ||
      absl::StrContains(answer, "\"code\":\"data_loss\"")) {
    if (status != 415) tally_.Fail(call, absl::StrCat(answer.substr(0, 300), " to ", body.substr(0, 300)));
  }
  if (status != 200) Judge(call, std::to_string(status), {answer.data(), answer.size()});
  const std::unique_ptr<Message> read = New(*method.output_type());
  if (status == 200 && as_json && !stream &&
      google::protobuf::util::JsonStringToMessage(answer, read.get()).ok()) {
    known_.Learn(*read);
  }
}

TEST_F(ApiFuzzTest, EveryCallOverGrpc) {
  ASSERT_FALSE(ApiMethods().empty());
  std::printf("seed %llu, %zu requests per call\n", static_cast<unsigned long long>(kSeed), kRequests);
  uint64_t seed = kSeed;
  for (const MethodDescriptor* method : ApiMethods()) {
    Provide();
    FromAllSides(seed++, [&](RandomMessages& random) { CallOverGrpc(*method, random); });
    ExpectAlive(NameOf(*method));
    if (HasFatalFailure()) break;
  }
  tally_.Print();
  ExpectDelivers();
}

TEST_F(ApiFuzzTest, EveryCallOverHttp) {
  ASSERT_FALSE(ApiMethods().empty());
  uint64_t seed = kSeed + 1'000'000;
  for (const MethodDescriptor* method : ApiMethods()) {
    Provide();
    FromAllSides(seed++, [&](RandomMessages& random) {
      thread_local std::unique_ptr<HttpPeer> peer;
      if (peer == nullptr) peer = std::make_unique<HttpPeer>(http_);
      CallOverHttp(*method, random, *peer);
    });
    ExpectAlive(NameOf(*method));
    if (HasFatalFailure()) break;
  }
  tally_.Print();
  ExpectDelivers();
}

}  // namespace
}  // namespace hookd::testing
