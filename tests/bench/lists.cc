// Finding deliveries in a long history while others are delivered: what a page of a list and a detail take.
#include <atomic>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/v1/delivery_service.grpc.pb.h"
#include "tests/bench/benches.h"
#include "tests/bench/hookd_process.h"
#include "tests/bench/load.h"
#include "tests/bench/sink.h"
#include "tests/bench/stats.h"
#include "tests/integration/nginx_fixture.h"

namespace hookd::bench {
namespace {

constexpr size_t kSubscribers = 16;
constexpr size_t kEndpointsEach = 4;
constexpr size_t kFailingShare = 100;  // one delivery in so many ends EXHAUSTED
constexpr size_t kFailingEndpoints = 16;
constexpr size_t kHosts = 16;
constexpr size_t kHistoryPayload = 256;
constexpr size_t kMaxAhead = 8192;
constexpr double kGoalMs = 50;
constexpr size_t kTenths = 10;
constexpr double kTenthGoal = 0.95;  // the last one's throughput, of the first one's
constexpr double kPollSeconds = 0.001;
constexpr char kFailing[] = "failing";
// Nothing listens on port 1.
constexpr char kRefusing[] = "http://127.0.0.1:1/hook";

using Request = v1::ListDeliveriesRequest;

struct Query {
  const char* name;
  std::function<Request(std::mt19937_64&)> make;
};

class Asker {
 public:
  explicit Asker(const HookdProcess& hookd) : stub_(v1::DeliveryService::NewStub(hookd.channel())) {}

  // Milliseconds.
  double List(const Request& request, v1::ListDeliveriesResponse* response) {
    response->Clear();
    grpc::ClientContext context;
    const double start = NowSeconds();
    const grpc::Status status = stub_->ListDeliveries(&context, request, response);
    HOOKD_CHECK(status.ok(), status.error_message().c_str());
    return (NowSeconds() - start) * 1e3;
  }

  double Get(const std::string& id) {
    v1::GetDeliveryRequest request;
    request.set_id(id);
    v1::Delivery delivery;
    grpc::ClientContext context;
    const double start = NowSeconds();
    const grpc::Status status = stub_->GetDelivery(&context, request, &delivery);
    HOOKD_CHECK(status.ok(), status.error_message().c_str());
    return (NowSeconds() - start) * 1e3;
  }

 private:
  const std::unique_ptr<v1::DeliveryService::Stub> stub_;
};

std::string SubscriberName(size_t i) { return Concat("s-", i); }

EndpointSet Endpoints(const std::string& subscriber, size_t count, std::function<std::string(size_t)> url) {
  EndpointSet set;
  set.subscriber = subscriber;
  set.count = count;
  set.url = std::move(url);
  return set;
}

// The history: `count` deliveries that have ended, one in a hundred of them badly. Returns the throughput of
// its last tenth, and of its first.
std::pair<double, double> Fill(HookdProcess& hookd, size_t count, std::vector<std::string> subscribers) {
  Load good;
  good.subscribers = std::move(subscribers);
  good.channels = kEndpointsEach;
  good.payload_bytes = kHistoryPayload;
  Load bad;
  bad.subscribers = {kFailing};
  bad.channels = kFailingEndpoints;
  bad.payload_bytes = kHistoryPayload;
  const size_t failing = count / kFailingShare;
  // The first ones are published ahead of the deliveries, and do not count.
  const size_t tenth = (count - failing - kMaxAhead) / kTenths;
  std::atomic<size_t> handed = 0;
  // Those that fail are spread over the whole.
  std::thread other([&] {
    Publish(hookd.channel(), bad, failing, [&](size_t sent) {
      while (sent * kFailingShare > handed + kMaxAhead) SleepSeconds(kPollSeconds);
    });
  });
  std::vector<double> times;  // when each tenth began
  Publish(hookd.channel(), good, count - failing, [&, keep_pace = KeepPace(hookd, kMaxAhead)](size_t sent) {
    keep_pace(sent);
    handed = sent;
    if (sent >= kMaxAhead + tenth * times.size()) times.push_back(NowSeconds());
  });
  const double last = NowSeconds() - times[kTenths - 1];
  handed = count;
  other.join();
  hookd.WaitUntilDelivered();
  return {static_cast<double>(tenth) / last, static_cast<double>(tenth) / (times[1] - times[0])};
}

std::vector<Query> Queries(const std::vector<std::string>& endpoints, const std::vector<std::string>& broken,
                           int64_t began, int64_t ended) {
  const auto pick = [](const std::vector<std::string>& from, std::mt19937_64& random) {
    return from[random() % from.size()];
  };
  const auto instant = [began, ended](std::mt19937_64& random) {
    return began + static_cast<int64_t>(random() % static_cast<uint64_t>(ended - began + 1));
  };
  return {
      {"of an endpoint, the newest",
       [=](std::mt19937_64& random) {
         Request request;
         request.set_endpoint_id(pick(endpoints, random));
         return request;
       }},
      {"of an endpoint, from some second on",
       [=](std::mt19937_64& random) {
         Request request;
         request.set_endpoint_id(pick(endpoints, random));
         request.mutable_accept_time_from()->set_seconds(instant(random));
         request.set_order(v1::LIST_ORDER_OLDEST_FIRST);
         return request;
       }},
      {"of a subscriber, the newest",
       [](std::mt19937_64& random) {
         Request request;
         request.set_subscriber_id(SubscriberName(random() % kSubscribers));
         return request;
       }},
      {"of a subscriber, before some second",
       [=](std::mt19937_64& random) {
         Request request;
         request.set_subscriber_id(SubscriberName(random() % kSubscribers));
         request.mutable_accept_time_before()->set_seconds(instant(random) + 1);
         return request;
       }},
      {"EXHAUSTED, the newest",
       [](std::mt19937_64&) {
         Request request;
         request.set_state(v1::DELIVERY_STATE_EXHAUSTED);
         return request;
       }},
      {"EXHAUSTED, of an endpoint, from some second on",
       [=](std::mt19937_64& random) {
         Request request;
         request.set_state(v1::DELIVERY_STATE_EXHAUSTED);
         request.set_endpoint_id(pick(broken, random));
         request.mutable_accept_time_from()->set_seconds(instant(random));
         request.set_order(v1::LIST_ORDER_OLDEST_FIRST);
         return request;
       }},
      {"PENDING",
       [](std::mt19937_64&) {
         Request request;
         request.set_state(v1::DELIVERY_STATE_PENDING);
         return request;
       }},
  };
}

}  // namespace

std::vector<Figure> BenchLists(const Settings& settings) {
  const testing::TempDir dir;
  Sink sink(kHosts, Sink::Manner::kAnswers);
  HookdProcess hookd(settings.binary, dir.path());
  std::vector<std::string> subscribers;
  std::vector<EndpointSet> sets;
  for (size_t i = 0; i < kSubscribers; ++i) {
    subscribers.push_back(SubscriberName(i));
    hookd.CreateSubscriber(subscribers.back());
    sets.push_back(Endpoints(subscribers.back(), kEndpointsEach, [&sink](size_t k) { return sink.Url(k); }));
  }
  hookd.CreateSubscriber(kFailing);
  EndpointSet failing = Endpoints(kFailing, kFailingEndpoints, [](size_t) { return kRefusing; });
  failing.max_retries = 0;
  sets.push_back(failing);
  hookd.CreateEndpoints(sets);
  const auto began = static_cast<int64_t>(hookd.Status().start_time().seconds());
  const double start = NowSeconds();
  const auto [last_tenth, first_tenth] = Fill(hookd, settings.history, subscribers);
  const double took = NowSeconds() - start;
  std::printf("lists: a history of %zu deliveries in %.0f s, %.0f MiB on disk\n", settings.history, took,
              static_cast<double>(hookd.Status().bytes_on_disk()) / (1 << 20));
  std::fflush(stdout);

  Load load;
  load.subscribers = subscribers;
  load.channels = kEndpointsEach;
  std::atomic<bool> done = false;
  Latency beside;
  std::thread traffic([&] {
    beside = MeasureLatency(hookd, sink, load, settings.per_second, settings.list_seconds);
    done = true;
  });
  Asker asker(hookd);
  std::vector<std::string> endpoints;
  std::vector<std::string> broken;
  v1::ListDeliveriesResponse page;
  for (const std::string& subscriber : subscribers) {
    Request request;
    request.set_subscriber_id(subscriber);
    asker.List(request, &page);
    for (const v1::Delivery& delivery : page.deliveries()) endpoints.push_back(delivery.endpoint_id());
  }
  Request exhausted;
  exhausted.set_state(v1::DELIVERY_STATE_EXHAUSTED);
  asker.List(exhausted, &page);
  for (const v1::Delivery& delivery : page.deliveries()) broken.push_back(delivery.endpoint_id());

  const std::vector<Query> queries = Queries(endpoints, broken, began, began + static_cast<int64_t>(took));
  std::vector<std::vector<double>> lists(queries.size());
  std::vector<double> details;
  std::mt19937_64 random(1);  // the same questions in every run
  while (!done) {
    for (size_t i = 0; i < queries.size(); ++i) {
      lists[i].push_back(asker.List(queries[i].make(random), &page));
      if (page.deliveries().empty()) continue;
      const auto one = static_cast<int>(random() % static_cast<uint64_t>(page.deliveries_size()));
      details.push_back(asker.Get(page.deliveries(one).id()));
    }
  }
  traffic.join();
  std::vector<Figure> figures = {
      MakeFigure("history, its first tenth", kPerSecond, first_tenth),
      WithGoal(WithRatio(MakeFigure("history, its last tenth", kPerSecond, last_tenth),
                         last_tenth / first_tenth, "its first tenth"),
               GoalKind::kAtLeast, kTenthGoal)};
  const auto add = [&figures](const std::string& name, const std::vector<double>& ms) {
    std::printf("lists: %s: p50 %.2f, p99 %.2f, max %.2f ms of %zu\n", name.c_str(), Percentile(ms, 0.5),
                Percentile(ms, 0.99), Percentile(ms, 1), ms.size());
    figures.push_back(
        WithGoal(MakeFigure(Concat("p99, page of 100 ", name), kMilliseconds, Percentile(ms, 0.99)),
                 GoalKind::kAtMost, kGoalMs));
  };
  for (size_t i = 0; i < queries.size(); ++i) add(queries[i].name, lists[i]);
  add("(a detail, not a page)", details);
  figures.push_back(MakeFigure("p99 from publish to receiver meanwhile", kMilliseconds, beside.p99));
  return figures;
}

}  // namespace hookd::bench
