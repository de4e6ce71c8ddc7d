#include "tests/bench/hookd_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include <curl/curl.h>
#include <grpcpp/create_channel.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "hookd/v1/operations_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"

extern char** environ;

namespace hookd::bench {
namespace {

constexpr size_t kWindow = 32;  // stream messages without an answer

std::string After(const std::string& line, const std::string& key) {
  const size_t start = line.find(key);
  HOOKD_CHECK(start != std::string::npos, "hookd says where it listens");
  return line.substr(start + key.size(), line.find_first_of(" \n", start) - start - key.size());
}

void Check(const grpc::Status& status) { HOOKD_CHECK(status.ok(), status.error_message().c_str()); }

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

size_t Append(char* data, size_t size, size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

std::string Payload(size_t bytes) {
  std::string text = R"({"object":"message","event":"message:in:new","data":{"body":")";
  text.append(bytes - text.size() - 3, 'x');
  return text + "\"}}";
}

}  // namespace

HookdProcess::HookdProcess(const std::string& binary, const std::string& dir) {
  const std::string config = dir + "/hookd.yaml";
  std::ofstream(config) << "data_dir: " << dir
                        << "/data\ngrpc:\n  listen: 127.0.0.1:0\nhttp:\n  listen: 127.0.0.1:0\n"
                        << "log:\n  level: warn\n";
  int pipe_fds[2];
  HOOKD_CHECK(pipe2(pipe_fds, O_CLOEXEC) == 0, "a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  std::string flag = "--config";
  std::string name = binary;
  std::string path = config;
  char* argv[] = {name.data(), flag.data(), path.data(), nullptr};
  HOOKD_CHECK(posix_spawn(&pid_, binary.c_str(), &actions, nullptr, argv, environ) == 0, "hookd starts");
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  std::string line;
  char c = 0;
  while (read(pipe_fds[0], &c, 1) == 1 && c != '\n') line.push_back(c);
  close(pipe_fds[0]);
  http_ = After(line, "http=");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(After(line, "grpc="), grpc::InsecureChannelCredentials(), arguments);
}

HookdProcess::~HookdProcess() {
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  if (status != 0) std::fprintf(stderr, "hookd ended with status %d\n", status);
}

double HookdProcess::CpuSeconds() const {
  std::ifstream file(Concat("/proc/", pid_, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

v1::ServerStatus HookdProcess::Status() const {
  v1::ServerStatus status;
  grpc::ClientContext context;
  Check(v1::OperationsService::NewStub(channel_)->GetStatus(&context, {}, &status));
  return status;
}

HookdProcess::Commits HookdProcess::CommitTotals() const {
  std::string text;
  CURL* easy = curl_easy_init();
  const std::string url = "http://" + http_ + "/metrics";
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
  HOOKD_CHECK(curl_easy_perform(easy) == CURLE_OK, "/metrics answers");
  curl_easy_cleanup(easy);
  Commits commits;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("hookd_commit_batch_items_sum ", 0) == 0) commits.items = std::stod(line.substr(29));
    if (line.rfind("hookd_commit_batch_items_count ", 0) == 0) commits.count = std::stod(line.substr(31));
  }
  HOOKD_CHECK(commits.count > 0, "the metric of the commits' sizes exists");
  return commits;
}

void HookdProcess::CreateSubscriber(const std::string& id) {
  v1::CreateSubscriberRequest request;
  request.mutable_subscriber()->set_id(id);
  v1::Subscriber subscriber;
  grpc::ClientContext context;
  Check(v1::SubscriberService::NewStub(channel_)->CreateSubscriber(&context, request, &subscriber));
}

std::vector<std::string> HookdProcess::CreateEndpoints(const std::string& subscriber, const std::string& url,
                                                       size_t count) {
  const auto stub = v1::EndpointService::NewStub(channel_);
  std::vector<std::string> ids;
  for (size_t i = 0; i < count; ++i) {
    v1::CreateEndpointRequest request;
    v1::Endpoint& endpoint = *request.mutable_endpoint();
    endpoint.set_subscriber_id(subscriber);
    endpoint.set_url(url);
    endpoint.add_channels(std::to_string(i));
    endpoint.mutable_policy()->set_mode(v1::DELIVERY_MODE_PARALLEL);
    endpoint.mutable_policy()->mutable_rate_limit()->set_per_second(0);
    v1::CreateEndpointResponse response;
    grpc::ClientContext context;
    Check(stub->CreateEndpoint(&context, request, &response));
    ids.push_back(response.endpoint().id());
  }
  return ids;
}

void HookdProcess::Pause(const std::string& endpoint_id) {
  v1::PauseEndpointRequest request;
  request.set_id(endpoint_id);
  v1::Endpoint endpoint;
  grpc::ClientContext context;
  Check(v1::EndpointService::NewStub(channel_)->PauseEndpoint(&context, request, &endpoint));
}

double HookdProcess::Publish(const std::string& subscriber, size_t events, size_t per_message,
                             size_t channels, size_t payload_bytes, size_t max_pending) {
  const uint64_t delivered_before = max_pending == 0 ? 0 : Status().deliveries_succeeded();
  uint64_t delivered = 0;
  const std::string payload = Payload(payload_bytes);
  const auto stub = v1::EventService::NewStub(channel_);
  grpc::ClientContext context;
  const auto stream = stub->PublishStream(&context);
  const double start = Now();
  size_t sent = 0;
  size_t messages = 0;
  size_t answered = 0;
  const auto answer = [&] {
    v1::PublishStreamResponse response;
    HOOKD_CHECK(stream->Read(&response), "every message is answered");
    for (const v1::PublishResult& result : response.results()) {
      HOOKD_CHECK(result.code() == 0 && result.deliveries() == 1, result.message().c_str());
    }
    ++answered;
  };
  while (sent < events) {
    v1::PublishStreamRequest request;
    request.set_batch(messages);
    for (size_t i = 0; i < per_message && sent < events; ++i, ++sent) {
      v1::NewEvent& event = *request.add_events();
      event.set_subscriber_id(subscriber);
      event.set_type("message:in:new");
      event.set_channel(std::to_string(sent % channels));
      event.set_payload(payload);
    }
    HOOKD_CHECK(stream->Write(request), "the stream stays open");
    ++messages;
    while (messages - answered >= kWindow) answer();
    while (max_pending > 0 && sent > delivered + max_pending) {
      delivered = Status().deliveries_succeeded() - delivered_before;
      if (sent > delivered + max_pending) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  stream->WritesDone();
  while (answered < messages) answer();
  const double took = Now() - start;
  Check(stream->Finish());
  return took;
}

void HookdProcess::WaitUntilDelivered() const {
  while (Status().pending_deliveries() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace hookd::bench
