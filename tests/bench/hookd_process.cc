#include "tests/bench/hookd_process.h"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <curl/curl.h>
#include <grpcpp/create_channel.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/operations_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"
#include "tests/bench/stats.h"

namespace hookd::bench {
namespace {

constexpr size_t kCallers = 16;       // calls at a time while endpoints are created
constexpr double kStuckSeconds = 60;  // without a success: the run is broken
constexpr double kPollSeconds = 0.002;
constexpr double kRetrySeconds = 0.005;

void Check(const grpc::Status& status) { HOOKD_CHECK(status.ok(), status.error_message().c_str()); }

size_t Append(char* data, size_t size, size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

v1::CreateEndpointRequest RequestFor(const EndpointSet& set, size_t i) {
  v1::CreateEndpointRequest request;
  v1::Endpoint& endpoint = *request.mutable_endpoint();
  endpoint.set_subscriber_id(set.subscriber);
  endpoint.set_url(set.url(i));
  if (!set.every_channel) endpoint.add_channels(std::to_string(set.first_channel + i));
  endpoint.mutable_policy()->set_mode(set.mode);
  if (set.max_retries) endpoint.mutable_policy()->set_max_retries(*set.max_retries);
  if (set.timeout_seconds) endpoint.mutable_policy()->mutable_timeout()->set_seconds(*set.timeout_seconds);
  if (set.backlog) endpoint.mutable_policy()->set_backlog(*set.backlog);
  endpoint.mutable_policy()->mutable_rate_limit()->set_per_second(0);
  return request;
}

}  // namespace

HookdProcess::HookdProcess(std::string binary, const std::string& dir, const std::string& settings)
    : binary_(std::move(binary)), config_(dir + "/hookd.yaml") {
  std::ofstream(config_) << "data_dir: " << dir
                         << "/data\ngrpc:\n  listen: 127.0.0.1:0\nhttp:\n  listen: 127.0.0.1:0\n"
                         << "log:\n  level: warn\n"
                         << (settings.find("egress:") == std::string::npos
                                 ? "egress:\n  allow_loopback: true\n"
                                 : "")
                         << settings;
  Start();
}

void HookdProcess::Kill() {
  channel_.reset();
  child_->Kill();
  child_.reset();
}

void HookdProcess::Start() {
  child_.emplace(std::vector<std::string>{binary_, "--config", config_});
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(child_->Said("grpc="), grpc::InsecureChannelCredentials(), arguments);
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
  const std::string url = "http://" + child_->Said("http=") + "/metrics";
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

void HookdProcess::CreateEndpoints(const std::vector<EndpointSet>& sets) {
  const auto stub = v1::EndpointService::NewStub(channel_);
  std::vector<std::pair<const EndpointSet*, size_t>> all;
  for (const EndpointSet& set : sets) {
    for (size_t i = 0; i < set.count; ++i) all.emplace_back(&set, i);
  }
  std::atomic<size_t> next = 0;
  std::atomic<size_t> refused = 0;
  const auto call = [&] {
    for (size_t i = next++; i < all.size(); i = next++) {
      const v1::CreateEndpointRequest request = RequestFor(*all[i].first, all[i].second);
      while (true) {
        v1::CreateEndpointResponse response;
        grpc::ClientContext context;
        const grpc::Status status = stub->CreateEndpoint(&context, request, &response);
        if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) {
          Check(status);
          break;
        }
        ++refused;
        SleepSeconds(kRetrySeconds);
      }
    }
  };
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i) callers.emplace_back(call);
  for (std::thread& caller : callers) caller.join();
  if (refused > 0) {
    std::printf("WARNING: %zu calls were refused while %zu endpoints were created, %zu at a time\n",
                refused.load(), all.size(), kCallers);
  }
}

void HookdProcess::PauseSubscriber(const std::string& id) {
  v1::PauseSubscriberRequest request;
  request.set_id(id);
  v1::Subscriber subscriber;
  grpc::ClientContext context;
  Check(v1::SubscriberService::NewStub(channel_)->PauseSubscriber(&context, request, &subscriber));
}

void HookdProcess::ResumeSubscriber(const std::string& id) {
  v1::ResumeSubscriberRequest request;
  request.set_id(id);
  v1::Subscriber subscriber;
  grpc::ClientContext context;
  Check(v1::SubscriberService::NewStub(channel_)->ResumeSubscriber(&context, request, &subscriber));
}

void HookdProcess::WaitUntilDelivered() const {
  uint64_t succeeded = 0;
  double since = NowSeconds();
  for (v1::ServerStatus status = Status(); status.pending_deliveries() > 0; status = Status()) {
    if (status.deliveries_succeeded() != succeeded) since = NowSeconds();
    succeeded = status.deliveries_succeeded();
    HOOKD_CHECK(NowSeconds() - since < kStuckSeconds, "hookd delivers");
    SleepSeconds(kPollSeconds);
  }
}

}  // namespace hookd::bench
