#include "dispatcher/api/gateway.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <google/protobuf/descriptor.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "dispatcher/api/message_json.h"

namespace hookd {

namespace asio = boost::asio;

class GatewayBudget {
 public:
  absl::Status Take(bool stream, size_t bytes) {
    absl::MutexLock lock(&mutex_);
    if (calls_ == kMaxGatewayCalls || (stream && streams_ == kMaxGatewayStreams)) {
      return absl::ResourceExhaustedError(
          Concat("too many ", stream ? "streams and polls" : "calls", " at once over HTTP: try again"));
    }
    RETURN_IF_ERROR(Reserve(bytes));
    ++calls_;
    streams_ += stream ? 1 : 0;
    return absl::OkStatus();
  }

  // By reference: `bytes` and `held` are guarded by the mutex.
  void GiveBack(bool stream, const size_t& bytes) {
    absl::MutexLock lock(&mutex_);
    bytes_ -= bytes;
    --calls_;
    streams_ -= stream ? 1 : 0;
  }

  absl::Status Grow(size_t& held, size_t wanted) {
    absl::MutexLock lock(&mutex_);
    if (wanted <= held) return absl::OkStatus();
    RETURN_IF_ERROR(Reserve(wanted - held));
    held = wanted;
    return absl::OkStatus();
  }

 private:
  absl::Status Reserve(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (bytes > kMaxGatewayBytes - bytes_) {
      return absl::ResourceExhaustedError(
          "no memory is left for calls over HTTP: try again, or ask for less");
    }
    bytes_ += bytes;
    return absl::OkStatus();
  }

  absl::Mutex mutex_;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

GatewayPlace::GatewayPlace(std::shared_ptr<GatewayBudget> budget, bool stream, size_t bytes)
    : budget_(std::move(budget)), stream_(stream), bytes_(bytes) {}
GatewayPlace::~GatewayPlace() { budget_->GiveBack(stream_, bytes_); }
absl::Status GatewayPlace::Hold(size_t bytes) { return budget_->Grow(bytes_, bytes); }

namespace {

// Convert messages, which takes up to a second for the largest.
constexpr size_t kGatewayWorkers = 2;

class Call;

// The calls that have not ended, and the way to the server.
class LiveCalls {
 public:
  void Open(std::shared_ptr<grpc::Channel> channel) {
    absl::MutexLock lock(&mutex_);
    stub_ = std::make_unique<grpc::GenericStub>(std::move(channel));
  }

  bool open() {
    absl::MutexLock lock(&mutex_);
    return stub_ != nullptr;
  }

  void Add(std::shared_ptr<Call> call) {
    absl::MutexLock lock(&mutex_);
    calls_.insert(std::move(call));
  }

  void Remove(const std::shared_ptr<Call>& call) {
    absl::MutexLock lock(&mutex_);
    calls_.erase(call);
  }

  // False (and nothing was done) when it is not open. Under the lock: gRPC 1.51 crashes in a call that is
  // made on an in-process channel whose server has shut down.
  bool Prepare(grpc::ClientContext* context, const std::string& path,
               grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* reactor) {
    absl::MutexLock lock(&mutex_);
    if (stub_ == nullptr) return false;
    stub_->PrepareBidiStreamingCall(context, path, {}, reactor);
    return true;
  }

  void StopIntake() {
    absl::MutexLock lock(&mutex_);
    stub_.reset();
  }

  void Close(Duration grace);

 private:
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_.empty(); }

  absl::Mutex mutex_;
  std::unique_ptr<grpc::GenericStub> stub_ ABSL_GUARDED_BY(mutex_);  // null = not open
  absl::flat_hash_set<std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
};

grpc::ByteBuffer ToBuffer(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

std::string ToText(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  text.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

absl::Status ShuttingDown() { return absl::UnavailableError("hookd is shutting down: try again"); }

// One call. Unary ones too are read as a stream, of one message: gRPC's wire does not differ.
// It is held open (AddHold) until its reading has ended, because Next comes from outside of gRPC's reactions.
class Call final : public GatewayCall,
                   public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                   public std::enable_shared_from_this<Call> {
 public:
  Call(GatewayRequest request, std::shared_ptr<GatewayListener> listener, asio::any_io_executor executor,
       std::shared_ptr<LiveCalls> live, asio::thread_pool& workers)
      : request_(std::move(request)),
        listener_(std::move(listener)),
        executor_(std::move(executor)),
        live_(std::move(live)),
        workers_(workers) {}

  void Start() {
    live_->Add(shared_from_this());
    asio::post(workers_, [self = shared_from_this()] { self->Begin(); });
  }

  void Next() override {
    {
      absl::MutexLock lock(&mutex_);
      if (state_ != State::kPaused) return;
      state_ = State::kReading;
    }
    StartRead(&answer_);
  }

  void Cancel() override {
    bool release = false;
    {
      absl::MutexLock lock(&mutex_);
      canceled_ = true;
      release = state_ == State::kPaused;
      if (release) state_ = State::kEnding;
    }
    context_.TryCancel();
    if (release) RemoveHold();
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      if (absl::Status room = request_.place->Hold(answer_.Length()); !room.ok())
        return Fail(std::move(room));
      asio::post(workers_, [self = shared_from_this()] { self->Deliver(); });
      return;
    }
    {
      absl::MutexLock lock(&mutex_);
      state_ = State::kEnding;
    }
    RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    absl::Status end(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) {
        end = failure_;
      } else if (canceled_) {
        end = ShuttingDown();  // also when the server said OK: its messages may have been dropped
      }
    }
    // No service says so by itself: the server was cut.
    if (absl::IsCancelled(end)) end = ShuttingDown();
    // Nor this without a word: what gRPC itself makes of bytes that are not the call's message. JSON comes to
    // that with half a surrogate pair in a text.
    if (end.message().empty() && (absl::IsInternal(end) || absl::IsUnimplemented(end))) {
      end = absl::InvalidArgumentError(
          "the body is not the message that this call takes: see the .proto files; texts have to be UTF-8");
    }
    End(std::move(end));
  }

 private:
  enum class State { kNew, kReading, kPaused, kEnding };

  // On a worker.
  void Begin() {
    if (request_.json) {
      absl::StatusOr<std::string> encoded = EncodedFromJson(*request_.method->input_type(), request_.message);
      if (!encoded.ok()) return End(encoded.status());
      request_.message = *std::move(encoded);
    }
    message_ = ToBuffer(request_.message);
    request_.message = std::string();
    if (request_.timeout.has_value()) {
      context_.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                         gpr_time_from_millis(request_.timeout->count(), GPR_TIMESPAN)));
    }
    if (!request_.authorization.empty()) context_.AddMetadata("authorization", request_.authorization);
    if (!request_.remote_address.empty()) {
      context_.AddMetadata(kRemoteAddressKey, request_.remote_address);
    }
    const std::string path =
        Concat("/", request_.method->service()->full_name(), "/", request_.method->name());
    bool begins = false;
    {
      absl::MutexLock lock(&mutex_);
      begins = !canceled_ && live_->Prepare(&context_, path, this);
      if (begins) state_ = State::kReading;
    }
    if (!begins) return End(ShuttingDown());
    AddHold();
    StartWriteLast(&message_, grpc::WriteOptions());
    StartRead(&answer_);
    StartCall();
  }

  // On a worker.
  void Deliver() {
    std::string message = ToText(answer_);
    answer_.Clear();
    if (request_.json) {
      absl::StatusOr<std::string> json = JsonFromEncoded(*request_.method->output_type(), message);
      absl::Status room = json.ok() ? request_.place->Hold(json->size()) : json.status();
      if (!room.ok()) return Fail(std::move(room));
      message = *std::move(json);
    }
    bool canceled = false;
    {
      absl::MutexLock lock(&mutex_);
      canceled = canceled_;
      state_ = canceled ? State::kEnding : State::kPaused;
      if (!canceled) {  // under the lock: from kPaused on, the end may come
        asio::post(executor_, [listener = listener_, message = std::move(message)]() mutable {
          listener->OnMessage(std::move(message));
        });
      }
    }
    if (canceled) RemoveHold();
  }

  // Instead of a delivery.
  void Fail(absl::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      failure_ = std::move(status);
      state_ = State::kEnding;
    }
    context_.TryCancel();
    RemoveHold();
  }

  // The last thing that it does. It goes on a worker: its context may hold the last reference to the channel,
  // with which gRPC 1.51 ends the threads that call back, waits for them, and frees what they read from; on
  // one of those it would not survive.
  void End(absl::Status status) {
    asio::post(executor_, [listener = std::move(listener_), status = std::move(status)]() mutable {
      listener->OnEnd(std::move(status));
    });
    asio::post(workers_, [self = shared_from_this()] { self->live_->Remove(self); });
  }

  GatewayRequest request_;
  std::shared_ptr<GatewayListener> listener_;
  const asio::any_io_executor executor_;
  const std::shared_ptr<LiveCalls> live_;
  asio::thread_pool& workers_;  // outlives every live call
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer answer_;
  absl::Mutex mutex_;
  // kReading: until its message is with the listener, or there was none. kPaused: until Next.
  State state_ ABSL_GUARDED_BY(mutex_) = State::kNew;
  bool canceled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

void LiveCalls::Close(Duration grace) {
  std::vector<std::shared_ptr<Call>> calls;
  {
    absl::MutexLock lock(&mutex_);
    stub_.reset();
    mutex_.AwaitWithTimeout(absl::Condition(this, &LiveCalls::Empty), absl::FromChrono(grace));
    calls.assign(calls_.begin(), calls_.end());
  }
  for (const std::shared_ptr<Call>& call : calls) call->Cancel();
  calls.clear();
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &LiveCalls::Empty));
}

}  // namespace

class Gateway::Impl {
 public:
  explicit Impl(const google::protobuf::DescriptorPool& pool) : services(pool) {}
  ~Impl() {
    live->Close(Duration::zero());
    workers.join();
  }

  const google::protobuf::DescriptorPool& services;
  const std::shared_ptr<GatewayBudget> budget = std::make_shared<GatewayBudget>();
  const std::shared_ptr<LiveCalls> live = std::make_shared<LiveCalls>();
  std::atomic<bool> any_host{false};
  asio::thread_pool workers{kGatewayWorkers};
};

Gateway::Gateway() : Gateway(*google::protobuf::DescriptorPool::generated_pool()) {}
Gateway::Gateway(const google::protobuf::DescriptorPool& services)
    : impl_(std::make_unique<Impl>(services)) {}
Gateway::~Gateway() = default;

const google::protobuf::DescriptorPool& Gateway::services() const { return impl_->services; }
void Gateway::Open(std::shared_ptr<grpc::Channel> channel, bool any_host) {
  impl_->any_host = any_host;
  impl_->live->Open(std::move(channel));
}
bool Gateway::any_host() const { return impl_->any_host; }
void Gateway::StopIntake() { impl_->live->StopIntake(); }
void Gateway::Close(Duration grace) { impl_->live->Close(grace); }

absl::StatusOr<std::shared_ptr<GatewayPlace>> Gateway::Admit(bool stream, size_t body_bytes) {
  if (!impl_->live->open()) return absl::UnavailableError("hookd is starting or shutting down: try again");
  const size_t bytes = std::max(body_bytes, kGatewayCallBytes);
  RETURN_IF_ERROR(impl_->budget->Take(stream, bytes));
  return std::make_shared<GatewayPlace>(impl_->budget, stream, bytes);
}

std::shared_ptr<GatewayCall> Gateway::Start(GatewayRequest request, std::shared_ptr<GatewayListener> listener,
                                            asio::any_io_executor executor) {
  auto call = std::make_shared<Call>(std::move(request), std::move(listener), std::move(executor),
                                     impl_->live, impl_->workers);
  call->Start();
  return call;
}

}  // namespace hookd
