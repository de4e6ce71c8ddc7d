#include "tests/bench/load.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>

#include <grpcpp/client_context.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/sink.h"
#include "tests/bench/stats.h"

namespace hookd::bench {
namespace {

constexpr size_t kPerMessage = 64;
constexpr size_t kWindow = 32;  // stream messages without an answer
constexpr double kPollSeconds = 0.001;

using Stream = grpc::ClientReaderWriter<v1::PublishStreamRequest, v1::PublishStreamResponse>;

std::string Filled(std::string text, size_t bytes) {
  constexpr size_t kEnd = 3;  // "}}
  HOOKD_CHECK(text.size() + kEnd <= bytes, "payloads have room for what they carry");
  text.append(bytes - text.size() - kEnd, 'x');
  return text + "\"}}";
}

std::string Payload(size_t bytes) {
  return Filled(R"({"object":"message","event":"message:in:new","data":{"body":")", bytes);
}

std::string StampedPayload(double due, size_t bytes) {
  return Filled(Concat(kStampPrefix, static_cast<int64_t>(due * 1e9), R"(,"data":{"body":")"), bytes);
}

void Fill(v1::NewEvent& event, const Load& load, size_t i, std::string payload) {
  event.set_subscriber_id(load.subscribers[i % load.subscribers.size()]);
  event.set_type("message:in:new");
  if (load.channels > 0) {
    event.set_channel(std::to_string(load.first_channel + i / load.subscribers.size() % load.channels));
  }
  event.set_payload(std::move(payload));
}

void ReadAnswer(Stream& stream, const Load& load) {
  v1::PublishStreamResponse response;
  HOOKD_CHECK(stream.Read(&response), "every message is answered");
  for (const v1::PublishResult& result : response.results()) {
    HOOKD_CHECK(result.code() == 0 && result.deliveries() == load.deliveries_each, result.message().c_str());
  }
}

}  // namespace

double Publish(const std::shared_ptr<grpc::Channel>& channel, const Load& load, size_t events,
               const std::function<void(size_t)>& before_next) {
  const std::string payload = Payload(load.payload_bytes);
  const auto stub = v1::EventService::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->PublishStream(&context);
  const double start = NowSeconds();
  size_t messages = 0;
  size_t answered = 0;
  for (size_t sent = 0; sent < events;) {
    if (before_next) before_next(sent);
    v1::PublishStreamRequest request;
    request.set_batch(messages);
    for (size_t i = 0; i < kPerMessage && sent < events; ++i, ++sent) {
      Fill(*request.add_events(), load, sent, payload);
    }
    HOOKD_CHECK(stream->Write(request), "the stream stays open");
    ++messages;
    for (; messages - answered >= kWindow; ++answered) ReadAnswer(*stream, load);
  }
  stream->WritesDone();
  for (; answered < messages; ++answered) ReadAnswer(*stream, load);
  const double took = NowSeconds() - start;
  const grpc::Status status = stream->Finish();
  HOOKD_CHECK(status.ok(), status.error_message().c_str());
  return took;
}

std::function<void(size_t)> KeepPace(const HookdProcess& hookd, size_t max_pending) {
  const uint64_t before = hookd.Status().deliveries_succeeded();
  return [&hookd, max_pending, before, delivered = uint64_t{0}](size_t sent) mutable {
    while (sent > delivered + max_pending) {
      delivered = hookd.Status().deliveries_succeeded() - before;
      if (sent > delivered + max_pending) SleepSeconds(kPollSeconds);
    }
  };
}

Latency MeasureLatency(const HookdProcess& hookd, Sink& sink, const Load& load, size_t per_second,
                       double seconds) {
  const auto events = static_cast<size_t>(static_cast<double>(per_second) * seconds);
  HOOKD_CHECK(events > 0, "something is measured");
  const auto stub = v1::EventService::NewStub(hookd.channel());
  grpc::ClientContext context;
  const auto stream = stub->PublishStream(&context);
  sink.Forget();
  std::thread reader([&] {
    for (size_t i = 0; i < events; ++i) ReadAnswer(*stream, load);
  });
  const double start = NowSeconds();
  for (size_t i = 0; i < events; ++i) {
    const double due = start + static_cast<double>(i) / static_cast<double>(per_second);
    v1::PublishStreamRequest request;
    request.set_batch(i);
    Fill(*request.add_events(), load, i, StampedPayload(due, load.payload_bytes));
    SleepSeconds(due - NowSeconds());
    HOOKD_CHECK(stream->Write(request), "the stream stays open");
  }
  stream->WritesDone();
  reader.join();
  const grpc::Status status = stream->Finish();
  HOOKD_CHECK(status.ok(), status.error_message().c_str());

  const double give_up = NowSeconds() + kGraceSeconds;
  std::vector<double> latencies = sink.Latencies();
  while (latencies.size() < events && NowSeconds() < give_up) {
    SleepSeconds(kPollSeconds);
    latencies = sink.Latencies();
  }
  Latency latency;
  latency.events = events;
  latency.missing = events - std::min(events, latencies.size());
  latencies.resize(latencies.size() + latency.missing, kMissingMs);
  latency.p50 = Percentile(latencies, 0.50);
  latency.p99 = Percentile(latencies, 0.99);
  latency.max = Percentile(latencies, 1);
  return latency;
}

}  // namespace hookd::bench
