// A gRPC server whose calls do what their requests say, and the descriptors of its service.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "hookd/v1/subscriber_service.pb.h"

namespace hookd::testing {

// hookd.v1.Echo, with
//   Unary(Subscriber) returns (Subscriber): what it got; by its `name`: "fail" = NOT_FOUND "no such thing",
//     "wait" = no answer until it is canceled, "big" = a name of 1 MiB, "who" = the name is the
//     authorization;
//   Stream(ListSubscribersRequest) returns (stream Subscriber): page_size of them, with ids from 1; then by
//   the
//     page_token: "fail" and "wait" as above; "big" = each has a name of 1 MiB;
//   Up(stream Subscriber) returns (Subscriber).
inline std::unique_ptr<google::protobuf::DescriptorPool> MakeEchoPool() {
  auto pool = std::make_unique<google::protobuf::DescriptorPool>();
  const auto copy = [&pool](const auto& self, const google::protobuf::FileDescriptor& file) -> void {
    if (pool->FindFileByName(file.name()) != nullptr) return;
    for (int i = 0; i < file.dependency_count(); ++i) self(self, *file.dependency(i));
    google::protobuf::FileDescriptorProto proto;
    file.CopyTo(&proto);
    pool->BuildFile(proto);
  };
  copy(copy, *v1::Subscriber::descriptor()->file());
  google::protobuf::FileDescriptorProto echo;
  echo.set_name("echo.proto");
  echo.set_package("hookd.v1");
  echo.set_syntax("proto3");
  echo.add_dependency(v1::Subscriber::descriptor()->file()->name());
  auto* service = echo.add_service();
  service->set_name("Echo");
  const auto add = [service](const char* name, const char* input) {
    auto* method = service->add_method();
    method->set_name(name);
    method->set_input_type(input);
    method->set_output_type(".hookd.v1.Subscriber");
    return method;
  };
  add("Unary", ".hookd.v1.Subscriber");
  add("Stream", ".hookd.v1.ListSubscribersRequest")->set_server_streaming(true);
  add("Up", ".hookd.v1.Subscriber")->set_client_streaming(true);
  EXPECT_NE(pool->BuildFile(echo), nullptr);
  return pool;
}

class EchoServer final : public grpc::CallbackGenericService {
 public:
  EchoServer() {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
  }
  ~EchoServer() override {
    server_->Shutdown(gpr_time_0(GPR_CLOCK_MONOTONIC));
    server_->Wait();
  }

  std::shared_ptr<grpc::Channel> Channel() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    return server_->InProcessChannel(arguments);
  }

  // Calls that wait, or have been canceled, since the start. False after 20 s.
  bool WaitForWaiting(int count) { return WaitFor(waiting_, count); }
  bool WaitForCanceled(int count) { return WaitFor(canceled_, count); }

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Reactor(*this, *context);
  }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    Reactor(EchoServer& server, grpc::GenericCallbackServerContext& context)
        : server_(server), context_(context), stream_(context.method() == "/hookd.v1.Echo/Stream") {
      StartRead(&buffer_);
    }

    void OnReadDone(bool ok) override {
      if (!ok) return Finish({grpc::StatusCode::INTERNAL, "no request"});
      if (stream_) {
        Parse(&list_);
        return WriteNext();
      }
      Parse(&subscriber_);
      if (subscriber_.name() == "wait") return Wait();
      if (subscriber_.name() == "fail") return Fail();
      if (subscriber_.name() == "big") subscriber_.set_name(std::string(1 << 20, 'x'));
      if (subscriber_.name() == "who") {
        const auto& metadata = context_.client_metadata();
        const auto found = metadata.find("authorization");
        subscriber_.set_name(
            found == metadata.end() ? "nobody" : std::string(found->second.data(), found->second.size()));
      }
      WriteOne(subscriber_);
    }

    void OnWriteDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      if (!stream_) return Finish(grpc::Status::OK);
      WriteNext();
    }

    void OnCancel() override {
      server_.Count(server_.canceled_);
      absl::MutexLock lock(&mutex_);
      canceled_ = true;
      if (waiting_) Finish(grpc::Status::CANCELLED);
    }

    void OnDone() override { delete this; }

   private:
    void Parse(google::protobuf::Message* message) {
      std::vector<grpc::Slice> slices;
      EXPECT_TRUE(buffer_.Dump(&slices).ok());
      std::string text;
      for (const grpc::Slice& slice : slices) text.append(slice.begin(), slice.end());
      EXPECT_TRUE(message->ParseFromString(text));
    }

    void WriteOne(const google::protobuf::Message& message) {
      const grpc::Slice slice(message.SerializeAsString());
      buffer_ = grpc::ByteBuffer(&slice, 1);
      StartWrite(&buffer_);
    }

    void WriteNext() {
      if (sent_ == list_.page_size()) {
        if (list_.page_token() == "wait") return Wait();
        if (list_.page_token() == "fail") return Fail();
        return Finish(grpc::Status::OK);
      }
      v1::Subscriber subscriber;
      subscriber.set_id(std::to_string(++sent_));
      if (list_.page_token() == "big") subscriber.set_name(std::string(1 << 20, 'x'));
      WriteOne(subscriber);
    }

    void Wait() {
      absl::MutexLock lock(&mutex_);
      waiting_ = true;
      server_.Count(server_.waiting_);
      if (canceled_) Finish(grpc::Status::CANCELLED);
    }

    void Fail() { Finish({grpc::StatusCode::NOT_FOUND, "no such thing"}); }

    EchoServer& server_;
    grpc::GenericCallbackServerContext& context_;
    const bool stream_;
    grpc::ByteBuffer buffer_;
    v1::Subscriber subscriber_;
    v1::ListSubscribersRequest list_;
    int sent_ = 0;
    absl::Mutex mutex_;
    bool waiting_ = false;
    bool canceled_ = false;
  };

  void Count(int& counter) {
    absl::MutexLock lock(&mutex_);
    ++counter;
  }

  bool WaitFor(const int& counter, int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&counter, count] { return counter >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(20));
  }

  absl::Mutex mutex_;
  int waiting_ = 0;
  int canceled_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace hookd::testing
