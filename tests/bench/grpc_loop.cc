#include "tests/bench/grpc_loop.h"

#include <signal.h>

#include <cstdio>
#include <memory>

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "tests/bench/child_process.h"
#include "tests/bench/load.h"

namespace hookd::bench {
namespace {

class Echo final : public grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse> {
 public:
  Echo() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    response_.set_batch(request_.batch());
    for (int i = 0; i < request_.events_size(); ++i) {
      v1::PublishResult& result = *response_.add_results();
      result.set_event_id("evt_01h455vb4pex5vsknk084sn02q");
      result.set_deliveries(1);
    }
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  v1::PublishStreamRequest request_;
  v1::PublishStreamResponse response_;
};

class Service final : public v1::EventService::CallbackService {
 public:
  grpc::ServerBidiReactor<v1::PublishStreamRequest, v1::PublishStreamResponse>* PublishStream(
      grpc::CallbackServerContext*) override {
    return new Echo;
  }
};

}  // namespace

Rate GrpcLoop(const std::string& self, size_t events, size_t payload_bytes) {
  const ChildProcess server({self, kGrpcServerFlag});
  const auto channel = grpc::CreateChannel(server.Said("grpc="), grpc::InsecureChannelCredentials());
  Load load;
  load.subscribers = {"bench"};
  load.channels = 64;
  load.payload_bytes = payload_bytes;
  Publish(channel, load, events / 10);
  const double cpu = server.CpuSeconds();
  const double took = Publish(channel, load, events);
  const double used = server.CpuSeconds() - cpu;
  return {static_cast<double>(events) / took, used / static_cast<double>(events) * 1e6};
}

int RunGrpcServer() {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, nullptr);  // before gRPC's threads, which inherit it
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  HOOKD_CHECK(server != nullptr, "it listens");
  std::printf("grpc=127.0.0.1:%d\n", port);
  std::fflush(stdout);
  int got = 0;
  sigwait(&terminate, &got);
  server->Shutdown();
  return 0;
}

}  // namespace hookd::bench
