// The pieces that every delivery passes, one by one: where a change made something dearer shows here first.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "dispatcher/core/event_rules.h"
#include "dispatcher/core/json_rules.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/engine/lane.h"
#include "dispatcher/engine/request.h"
#include "storage/key_codec.h"
#include "storage/record_codec.h"

namespace hookd {
namespace {

const EndpointId kEndpoint = EndpointId::Make(7, 42);

Event SomeEvent() {
  Event event;
  event.id = EventId::Make(1'700'000'000'000, 0, 7, 1);
  event.subscriber_id = "acme";
  event.type = "message:in:new";
  event.idempotency_key = "key-1";
  event.payload = R"({"body":")" + std::string(1000, 'x') + R"("})";
  return event;
}

void BM_CheckJson1KiB(benchmark::State& state) {
  const std::string payload = SomeEvent().payload;
  for (auto _ : state) benchmark::DoNotOptimize(CheckJson(payload));
}
BENCHMARK(BM_CheckJson1KiB);

void BM_IdempotencyKey1KiB(benchmark::State& state) {
  const Event event = SomeEvent();
  for (auto _ : state) benchmark::DoNotOptimize(MakeIdempotencyKey(event));
}
BENCHMARK(BM_IdempotencyKey1KiB);

void BM_Sign1KiB(benchmark::State& state) {
  const std::string key(32, 'k');
  const Event event = SomeEvent();
  const std::string id = event.id.ToString();
  for (auto _ : state) benchmark::DoNotOptimize(SignV1(key, id, 1'700'000'000, event.payload));
}
BENCHMARK(BM_Sign1KiB);

void BM_MakeRequest(benchmark::State& state) {
  Endpoint endpoint;
  endpoint.url = "http://127.0.0.1/hook";
  endpoint.signing_keys = {{std::string(32, 'k')}};
  Work work;
  work.sequence = 42;
  work.event = std::make_shared<const Event>(SomeEvent());
  for (auto _ : state) {
    benchmark::DoNotOptimize(MakeRequest(endpoint, work, 1'700'000'000'000, {1, "hookd/0.1.0"}));
  }
}
BENCHMARK(BM_MakeRequest);

void BM_EncodeEvent1KiB(benchmark::State& state) {
  const Event event = SomeEvent();
  for (auto _ : state) benchmark::DoNotOptimize(records::Encode(event));
}
BENCHMARK(BM_EncodeEvent1KiB);

Sealer SomeSealer() {
  SecretKeys keys;
  keys.newest.emplace().bytes.fill('k');
  return Sealer(keys);
}

void BM_EncodeSealedEvent1KiB(benchmark::State& state) {
  const Event event = SomeEvent();
  const Sealer sealer = SomeSealer();
  for (auto _ : state) benchmark::DoNotOptimize(records::Encode(event, &sealer));
}
BENCHMARK(BM_EncodeSealedEvent1KiB);

void BM_DecodeSealedEvent1KiB(benchmark::State& state) {
  const Event event = SomeEvent();
  const Sealer sealer = SomeSealer();
  const std::string bytes = records::Encode(event, &sealer);
  for (auto _ : state) benchmark::DoNotOptimize(records::DecodeEvent(event.id, bytes, &sealer));
}
BENCHMARK(BM_DecodeSealedEvent1KiB);

void BM_HistoryKey(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(keys::HistoryRow({472'222, kEndpoint, 42}, keys::kEndRow));
}
BENCHMARK(BM_HistoryKey);

// Accept, start, submit and record one delivery of a lane.
void BM_LaneRoundTrip(benchmark::State& state) {
  LaneShared shared{{}, WindowBudget(64u << 20)};
  Lane lane(kEndpoint, 1, shared);
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->policy.rate.per_second = 0;
  lane.Configure(endpoint, Hold::kNone);
  const auto event = std::make_shared<const Event>(SomeEvent());
  const Now now{SteadyTime(std::chrono::hours(1)), 0};
  Sequence sequence = 1;
  for (auto _ : state) {
    lane.Accepted(sequence, event, now);
    benchmark::DoNotOptimize(lane.Next(now));
    lane.Submit(sequence, {});
    lane.Recorded(sequence++);
  }
}
BENCHMARK(BM_LaneRoundTrip);

}  // namespace
}  // namespace hookd

BENCHMARK_MAIN();
