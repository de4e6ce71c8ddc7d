// Finding, steering and following deliveries through the API, over a real engine and a store in memory.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatcher/api/feed_context.h"
#include "hookd/v1/delivery_service.grpc.pb.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "hookd/v1/job_service.grpc.pb.h"
#include "hookd/v1/operations_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class SteerTest : public testing::ApiTest {
 protected:
  std::string CreateEndpoint(uint32_t max_retries = 0) {
    grpc::ClientContext context;
    v1::CreateEndpointRequest request;
    v1::Endpoint& endpoint = *request.mutable_endpoint();
    endpoint.set_subscriber_id("acme");
    endpoint.set_url("http://127.0.0.1:1/hook");
    endpoint.mutable_policy()->set_max_retries(max_retries);
    endpoint.mutable_policy()->mutable_rate_limit()->set_per_second(0);
    v1::CreateEndpointResponse response;
    const grpc::Status status = endpoints_->CreateEndpoint(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.endpoint().id();
  }

  std::string Publish(const std::string& type = "a", const std::string& payload = "{}") {
    grpc::ClientContext context;
    v1::PublishEventRequest request;
    request.mutable_event()->set_subscriber_id("acme");
    request.mutable_event()->set_type(type);
    request.mutable_event()->set_payload(payload);
    v1::PublishEventResponse response;
    const grpc::Status status = events_->PublishEvent(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.event_id();
  }

  void PublishOf(const std::string& ordering_key, const std::string& type, int number) {
    grpc::ClientContext context;
    v1::PublishEventRequest request;
    request.mutable_event()->set_subscriber_id("acme");
    request.mutable_event()->set_type(type);
    request.mutable_event()->set_ordering_key(ordering_key);
    request.mutable_event()->set_payload(std::to_string(number));
    v1::PublishEventResponse response;
    const grpc::Status status = events_->PublishEvent(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  v1::ListDeliveriesResponse List(const v1::ListDeliveriesRequest& request) {
    grpc::ClientContext context;
    v1::ListDeliveriesResponse response;
    const grpc::Status status = deliveries_->ListDeliveries(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  grpc::Status Refused(const v1::ListDeliveriesRequest& request) {
    grpc::ClientContext context;
    v1::ListDeliveriesResponse response;
    return deliveries_->ListDeliveries(&context, request, &response);
  }

  // Until so many deliveries of the subscriber are in the state, or the test's own time is over.
  std::vector<v1::Delivery> WaitForState(v1::DeliveryState state, int count) {
    v1::ListDeliveriesRequest request;
    request.set_subscriber_id("acme");
    request.set_state(state);
    for (;;) {
      const v1::ListDeliveriesResponse list = List(request);
      if (list.deliveries_size() >= count || HasFailure()) {
        return {list.deliveries().begin(), list.deliveries().end()};
      }
      std::this_thread::yield();
    }
  }

  const std::unique_ptr<v1::EventService::Stub> events_ = v1::EventService::NewStub(channel_);
  const std::unique_ptr<v1::EndpointService::Stub> endpoints_ = v1::EndpointService::NewStub(channel_);
  const std::unique_ptr<v1::DeliveryService::Stub> deliveries_ = v1::DeliveryService::NewStub(channel_);
  const std::unique_ptr<v1::JobService::Stub> jobs_ = v1::JobService::NewStub(channel_);
  const std::unique_ptr<v1::OperationsService::Stub> operations_ = v1::OperationsService::NewStub(channel_);
};

TEST_F(SteerTest, ListsRefuseWhatTheyCannotAnswer) {
  v1::ListDeliveriesRequest request;
  EXPECT_THAT(Refused(request).error_message(), StartsWith("endpoint_id: "));
  request.set_subscriber_id("acme");
  request.set_event_type("a*b");
  EXPECT_THAT(Refused(request).error_message(), StartsWith("event_type: "));
  request.clear_event_type();
  request.set_status_class(6);
  EXPECT_THAT(Refused(request).error_message(), StartsWith("status_class: "));
  request.clear_status_class();
  request.set_error_kind("bad");
  EXPECT_THAT(Refused(request).error_message(), HasSubstr("timeout"));
  request.clear_error_kind();
  request.mutable_accept_time_from()->set_seconds(10);
  request.mutable_accept_time_before()->set_seconds(10);
  EXPECT_THAT(Refused(request).error_message(), StartsWith("accept_time_before: "));
}

TEST_F(SteerTest, AListsTokenBelongsToItsFilterAndOrder) {
  CreateEndpoint();
  for (int i = 0; i < 3; ++i) Publish();
  WaitForState(v1::DELIVERY_STATE_SUCCEEDED, 3);
  v1::ListDeliveriesRequest request;
  request.set_subscriber_id("acme");
  request.set_page_size(2);
  const v1::ListDeliveriesResponse first = List(request);
  ASSERT_THAT(first.deliveries(), SizeIs(2));
  EXPECT_GT(first.deliveries(0).sequence(), first.deliveries(1).sequence()) << "newest first";
  request.set_page_token(first.next_page_token());
  const v1::ListDeliveriesResponse second = List(request);
  ASSERT_THAT(second.deliveries(), SizeIs(1));
  EXPECT_EQ(second.deliveries(0).sequence(), 1u);
  request.set_order(v1::LIST_ORDER_OLDEST_FIRST);
  EXPECT_THAT(Refused(request).error_message(), StartsWith("page_token"));
}

TEST_F(SteerTest, AnAttemptSaysWhatWasDecidedAndARetryIsANewDelivery) {
  receiver_.SetHandler([](const testing::SentRequest&) { return 500; });
  CreateEndpoint();
  const std::string event = Publish();
  const std::vector<v1::Delivery> failed = WaitForState(v1::DELIVERY_STATE_EXHAUSTED, 1);
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_EQ(failed[0].last_status(), 500);
  grpc::ClientContext get_context;
  v1::GetDeliveryRequest get;
  get.set_id(failed[0].id());
  v1::Delivery delivery;
  ASSERT_TRUE(deliveries_->GetDelivery(&get_context, get, &delivery).ok());
  ASSERT_THAT(delivery.attempts(), SizeIs(1));
  EXPECT_EQ(delivery.attempts(0).decision(), v1::ATTEMPT_DECISION_RETRIES_USED_UP);
  EXPECT_FALSE(delivery.attempts(0).request_headers().empty());
  for (const v1::HeaderField& header : delivery.attempts(0).request_headers()) {
    EXPECT_EQ(header.masked(), header.name() == "webhook-signature") << header.name();
  }

  receiver_.SetHandler([](const testing::SentRequest&) { return 200; });
  grpc::ClientContext retry_context;
  v1::RetryDeliveryRequest retry;
  retry.set_id(delivery.id());
  v1::Delivery made;
  const grpc::Status status = deliveries_->RetryDelivery(&retry_context, retry, &made);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_NE(made.id(), delivery.id());
  EXPECT_EQ(made.event_id(), event);
  EXPECT_EQ(made.replaces(), delivery.id());
  EXPECT_EQ(made.origin(), v1::DELIVERY_ORIGIN_RETRY);
  EXPECT_EQ(made.sequence(), delivery.sequence() + 1);
  WaitForState(v1::DELIVERY_STATE_SUCCEEDED, 1);
  grpc::ClientContext again_context;
  ASSERT_TRUE(deliveries_->GetDelivery(&again_context, get, &delivery).ok());
  EXPECT_EQ(delivery.replaced_by(), made.id());
  EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_EXHAUSTED) << "a terminal state is final";
  grpc::ClientContext event_context;
  v1::GetEventRequest get_event;
  get_event.set_id(event);
  v1::Event read;
  ASSERT_TRUE(events_->GetEvent(&event_context, get_event, &read).ok());
  EXPECT_EQ(read.payload(), "{}");
  EXPECT_THAT(read.delivery_ids(), ElementsAre(delivery.id(), made.id()));
}

TEST_F(SteerTest, APendingDeliverySaysWhatItWaitsForAndCanBeCanceled) {
  const std::string endpoint = CreateEndpoint();
  grpc::ClientContext pause_context;
  v1::PauseEndpointRequest pause;
  pause.set_id(endpoint);
  v1::Endpoint paused;
  ASSERT_TRUE(endpoints_->PauseEndpoint(&pause_context, pause, &paused).ok());
  Publish();
  const std::vector<v1::Delivery> pending = WaitForState(v1::DELIVERY_STATE_PENDING, 1);
  ASSERT_THAT(pending, SizeIs(1));
  grpc::ClientContext get_context;
  v1::GetDeliveryRequest get;
  get.set_id(pending[0].id());
  v1::Delivery delivery;
  ASSERT_TRUE(deliveries_->GetDelivery(&get_context, get, &delivery).ok());
  EXPECT_EQ(delivery.waiting_on().kind(), v1::WAIT_KIND_PAUSED);

  v1::CancelDeliveryRequest cancel;
  cancel.set_id(delivery.id());
  grpc::ClientContext cancel_context;
  v1::Delivery canceled;
  const grpc::Status status = deliveries_->CancelDelivery(&cancel_context, cancel, &canceled);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(canceled.state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(canceled.end_reason(), "by_person");
  grpc::ClientContext again_context;
  EXPECT_EQ(deliveries_->CancelDelivery(&again_context, cancel, &canceled).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(SteerTest, AWatcherSeesEveryChangeAndResumesBehindACommit) {
  CreateEndpoint();
  grpc::ClientContext status_context;
  v1::ServerStatus before;
  ASSERT_TRUE(operations_->GetStatus(&status_context, {}, &before).ok());
  grpc::ClientContext context;
  v1::WatchDeliveriesRequest request;
  request.set_after_commit(before.last_commit());
  const auto stream = deliveries_->WatchDeliveries(&context, request);
  const std::string event = Publish();
  std::vector<v1::DeliveryState> states;
  uint64_t after_first = 0;
  v1::WatchDeliveriesResponse response;
  while (states.size() < 2 && stream->Read(&response)) {
    for (const v1::DeliveryChange& change : response.changes()) {
      EXPECT_EQ(change.event_id(), event);
      states.push_back(change.state());
      if (states.size() == 1) after_first = response.commit();
    }
  }
  EXPECT_THAT(states, ElementsAre(v1::DELIVERY_STATE_PENDING, v1::DELIVERY_STATE_SUCCEEDED));
  context.TryCancel();
  stream->Finish();

  grpc::ClientContext resumed_context;
  request.set_after_commit(before.last_commit());
  request.add_states(v1::DELIVERY_STATE_SUCCEEDED);
  const auto resumed = deliveries_->WatchDeliveries(&resumed_context, request);
  ASSERT_TRUE(resumed->Read(&response));
  ASSERT_THAT(response.changes(), SizeIs(1));
  EXPECT_GE(response.commit(), after_first);
  resumed_context.TryCancel();
  resumed->Finish();
}

TEST_F(SteerTest, AWatcherOfTheFutureOrThePastIsToldSo) {
  grpc::ClientContext context;
  v1::WatchDeliveriesRequest request;
  request.set_after_commit(1'000'000);
  const auto stream = deliveries_->WatchDeliveries(&context, request);
  v1::WatchDeliveriesResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(SteerTest, OneMoreWatcherThanMayBeIsRefused) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchDeliveriesResponse>>> streams;
  for (size_t i = 0; i < kMaxWatchers; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(deliveries_->WatchDeliveries(contexts.back().get(), {}));
    streams.back()->WaitForInitialMetadata();
  }
  // A connection's own streams are bounded too; this one is refused by the service or waits for one of them.
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& stream : streams) EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(SteerTest, APollGivesWhatWasAcceptedAndWaitsForMore) {
  CreateEndpoint();
  const std::string first = Publish("a", R"({"n":1})");
  v1::PollEventsRequest request;
  request.set_subscriber_id("acme");
  grpc::ClientContext context;
  v1::PollEventsResponse response;
  ASSERT_TRUE(events_->PollEvents(&context, request, &response).ok());
  ASSERT_THAT(response.events(), SizeIs(1));
  EXPECT_EQ(response.events(0).id(), first);
  EXPECT_EQ(response.events(0).payload(), R"({"n":1})");

  request.set_cursor(response.cursor());
  grpc::ClientContext empty_context;
  ASSERT_TRUE(events_->PollEvents(&empty_context, request, &response).ok());
  EXPECT_THAT(response.events(), SizeIs(0));
  EXPECT_FALSE(response.cursor().empty());

  request.set_cursor(response.cursor());
  request.mutable_wait()->set_seconds(30);
  grpc::Status polled;
  v1::PollEventsResponse waited;
  std::thread poller([&] {
    grpc::ClientContext wait_context;
    polled = events_->PollEvents(&wait_context, request, &waited);
  });
  const std::string second = Publish();
  poller.join();
  ASSERT_TRUE(polled.ok()) << polled.error_message();
  ASSERT_THAT(waited.events(), SizeIs(1));
  EXPECT_EQ(waited.events(0).id(), second);
}

TEST_F(SteerTest, APollGivesTheNewestFirstOfOneTypeAndChat) {
  CreateEndpoint();
  for (int i = 0; i < 5; ++i) PublishOf("ann", i % 2 == 0 ? "in" : "out", i);
  for (int i = 5; i < 8; ++i) PublishOf("ben", "in", i);
  const auto poll = [this](const std::string& key, const std::string& type, int newest) {
    v1::PollEventsRequest request;
    request.set_subscriber_id("acme");
    request.set_ordering_key(key);
    request.set_event_type(type);
    request.set_newest(newest);
    grpc::ClientContext context;
    v1::PollEventsResponse response;
    const grpc::Status status = events_->PollEvents(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_FALSE(response.incomplete());
    std::string payloads;
    for (const v1::Event& event : response.events()) payloads += event.payload();
    return std::pair(payloads, response.cursor());
  };
  EXPECT_EQ(poll("", "", 3).first, "765");
  EXPECT_EQ(poll("", "", 100).first, "76543210");
  EXPECT_EQ(poll("ann", "", 100).first, "43210");
  EXPECT_EQ(poll("ann", "in", 2).first, "42");
  EXPECT_EQ(poll("nobody", "", 2).first, "");

  // The cursor goes on behind them; the key filters there too.
  v1::PollEventsRequest request;
  request.set_subscriber_id("acme");
  request.set_ordering_key("ann");
  request.set_cursor(poll("ann", "", 1).second);
  PublishOf("ben", "in", 8);
  PublishOf("ann", "in", 9);
  grpc::ClientContext context;
  v1::PollEventsResponse response;
  ASSERT_TRUE(events_->PollEvents(&context, request, &response).ok());
  ASSERT_THAT(response.events(), SizeIs(1));
  EXPECT_EQ(response.events(0).payload(), "9");
}

TEST_F(SteerTest, PollsRefuseWhatTheyCannotAnswer) {
  const auto refused = [this](const v1::PollEventsRequest& request) {
    grpc::ClientContext context;
    v1::PollEventsResponse response;
    return events_->PollEvents(&context, request, &response);
  };
  v1::PollEventsRequest request;
  EXPECT_THAT(refused(request).error_message(), StartsWith("endpoint_id: "));
  request.set_subscriber_id("nobody");
  EXPECT_EQ(refused(request).error_code(), grpc::StatusCode::NOT_FOUND);
  request.mutable_wait()->set_seconds(31);
  EXPECT_THAT(refused(request).error_message(), StartsWith("wait: "));
  request.clear_wait();
  request.set_newest(101);
  EXPECT_THAT(refused(request).error_message(), StartsWith("newest: "));
  request.set_newest(1);
  request.set_page_size(5);
  EXPECT_THAT(refused(request).error_message(), StartsWith("newest: give either it or page_size"));
  request.clear_newest();
  request.clear_page_size();
  request.set_ordering_key(std::string(129, 'k'));
  EXPECT_THAT(refused(request).error_message(), StartsWith("ordering_key: "));
  request.clear_ordering_key();
  request.set_cursor("made up");
  EXPECT_EQ(refused(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(SteerTest, ARecoverJobMakesANewDeliveryForEachThatFailed) {
  receiver_.SetHandler([](const testing::SentRequest&) { return 500; });
  const std::string endpoint = CreateEndpoint();
  for (int i = 0; i < 3; ++i) Publish();
  WaitForState(v1::DELIVERY_STATE_EXHAUSTED, 3);
  receiver_.SetHandler([](const testing::SentRequest&) { return 200; });
  v1::RecoverDeliveriesRequest request;
  request.set_endpoint_id(endpoint);
  request.set_dry_run(true);
  grpc::ClientContext dry_context;
  v1::Job job;
  grpc::Status status = jobs_->RecoverDeliveries(&dry_context, request, &job);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.matched(), 3u);
  EXPECT_TRUE(job.dry_run());
  EXPECT_TRUE(job.id().empty());
  request.set_dry_run(false);
  grpc::ClientContext context;
  status = jobs_->RecoverDeliveries(&context, request, &job);
  ASSERT_TRUE(status.ok()) << status.error_message();
  WaitForState(v1::DELIVERY_STATE_SUCCEEDED, 3);
  v1::GetJobRequest get;
  get.set_id(job.id());
  while (job.state() == v1::JOB_STATE_RUNNING && !HasFailure()) {
    grpc::ClientContext get_context;
    ASSERT_TRUE(jobs_->GetJob(&get_context, get, &job).ok());
  }
  EXPECT_EQ(job.state(), v1::JOB_STATE_DONE);
  EXPECT_EQ(job.done(), 3u);
  // Once more finds nothing: each has its new delivery.
  request.set_dry_run(true);
  grpc::ClientContext again_context;
  ASSERT_TRUE(jobs_->RecoverDeliveries(&again_context, request, &job).ok());
  EXPECT_EQ(job.matched(), 0u);
}

TEST_F(SteerTest, JobsRefuseWhatHasNoFilter) {
  grpc::ClientContext expire_context;
  v1::Job job;
  EXPECT_THAT(jobs_->ExpireBacklog(&expire_context, {}, &job).error_message(), StartsWith("endpoint_id: "));
  grpc::ClientContext recover_context;
  EXPECT_THAT(jobs_->RecoverDeliveries(&recover_context, {}, &job).error_message(),
              StartsWith("endpoint_id: "));
  grpc::ClientContext replay_context;
  v1::ReplayEventsRequest replay;
  replay.set_endpoint_id("ep_0001000000000002");
  EXPECT_THAT(jobs_->ReplayEvents(&replay_context, replay, &job).error_message(),
              StartsWith("accept_time_from: "));
  grpc::ClientContext rate_context;
  v1::RecoverDeliveriesRequest recover;
  recover.set_event_type("a");
  recover.set_rate(1'000'000);
  EXPECT_THAT(jobs_->RecoverDeliveries(&rate_context, recover, &job).error_message(), StartsWith("rate: "));
  grpc::ClientContext get_context;
  v1::GetJobRequest get;
  get.set_id("job_0000000000000009");
  EXPECT_EQ(jobs_->GetJob(&get_context, get, &job).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SteerTest, ManyEndpointsChangeByFilter) {
  const std::string one = CreateEndpoint();
  const std::string two = CreateEndpoint();
  v1::ChangeEndpointsRequest request;
  request.set_action(v1::ENDPOINT_ACTION_PAUSE);
  v1::ChangeEndpointsResponse response;
  grpc::ClientContext bare_context;
  EXPECT_THAT(endpoints_->ChangeEndpoints(&bare_context, request, &response).error_message(),
              StartsWith("subscriber_id: "));
  request.set_host("127.0.0.1:1");
  request.set_reason("moving house");
  request.set_dry_run(true);
  grpc::ClientContext dry_context;
  ASSERT_TRUE(endpoints_->ChangeEndpoints(&dry_context, request, &response).ok());
  EXPECT_THAT(response.endpoint_ids(), ElementsAre(one, two));
  v1::GetEndpointRequest get;
  get.set_id(one);
  v1::Endpoint endpoint;
  grpc::ClientContext before_context;
  ASSERT_TRUE(endpoints_->GetEndpoint(&before_context, get, &endpoint).ok());
  EXPECT_FALSE(endpoint.paused());
  request.set_dry_run(false);
  grpc::ClientContext context;
  response.Clear();
  ASSERT_TRUE(endpoints_->ChangeEndpoints(&context, request, &response).ok());
  EXPECT_THAT(response.endpoint_ids(), SizeIs(2));
  grpc::ClientContext after_context;
  ASSERT_TRUE(endpoints_->GetEndpoint(&after_context, get, &endpoint).ok());
  EXPECT_TRUE(endpoint.paused());
  EXPECT_EQ(endpoint.state_note(), "moving house");
}

TEST_F(SteerTest, StatisticsCountAttempts) {
  const std::string id = CreateEndpoint();
  for (int i = 0; i < 4; ++i) Publish();
  WaitForState(v1::DELIVERY_STATE_SUCCEEDED, 4);
  grpc::ClientContext context;
  v1::GetEndpointStatisticsRequest request;
  request.set_id(id);
  v1::Statistics statistics;
  grpc::Status status = endpoints_->GetEndpointStatistics(&context, request, &statistics);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(statistics.attempts(), 4u);
  EXPECT_EQ(statistics.succeeded(), 4u);
  EXPECT_EQ(statistics.status_2xx(), 4u);
  EXPECT_EQ(statistics.pending(), 0u);
  grpc::ClientContext top_context;
  v1::ListTopEndpointsResponse top;
  status = endpoints_->ListTopEndpoints(&top_context, {}, &top);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(top.endpoints(), SizeIs(1));
  EXPECT_EQ(top.endpoints(0).id(), id);
  EXPECT_EQ(top.endpoints(0).origin(), "http://127.0.0.1:1");
}

}  // namespace
}  // namespace hookd
