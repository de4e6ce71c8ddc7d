// The commands for calls of a server that a test makes up: what is sent, and what is shown.
#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "cli/hookctl.h"
#include "cli/session.h"
#include "hookd/v1/delivery_service.grpc.pb.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "hookd/v1/job_service.grpc.pb.h"
#include "hookd/v1/operations_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using grpc::ServerContext;
using grpc::Status;

class FakeOperations final : public v1::OperationsService::Service {
  Status GetStatus(ServerContext*, const v1::GetStatusRequest*, v1::ServerStatus* status) override {
    status->set_last_commit(40);
    return Status::OK;
  }
};

// Two changes, each on a stream of its own that breaks, then a refusal.
class FakeDeliveries final : public v1::DeliveryService::Service {
 public:
  Status WatchDeliveries(ServerContext*, const v1::WatchDeliveriesRequest* request,
                         grpc::ServerWriter<v1::WatchDeliveriesResponse>* writer) override {
    requests.push_back(*request);
    if (requests.size() > 2) return {grpc::StatusCode::OUT_OF_RANGE, "after_commit: list instead"};
    v1::WatchDeliveriesResponse answer;
    v1::DeliveryChange& change = *answer.add_changes();
    change.set_delivery_id("dlv_" + std::to_string(requests.size()));
    change.set_event_type("message:in");
    change.set_state(v1::DELIVERY_STATE_EXHAUSTED);
    change.set_status(503);
    *answer.add_changes() = change;
    answer.mutable_changes(1)->set_event_type("other");
    answer.set_commit(request->after_commit() + 1);
    writer->Write(answer);
    return {grpc::StatusCode::UNAVAILABLE, "restarting"};
  }
  std::vector<v1::WatchDeliveriesRequest> requests;
};

class FakeJobs final : public v1::JobService::Service {
 public:
  Status RecoverDeliveries(ServerContext*, const v1::RecoverDeliveriesRequest* request,
                           v1::Job* job) override {
    recover = *request;
    return Started(v1::JOB_KIND_RECOVER, request->dry_run(), job);
  }
  Status ExpireBacklog(ServerContext*, const v1::ExpireBacklogRequest* request, v1::Job* job) override {
    expire = *request;
    return Started(v1::JOB_KIND_EXPIRE, request->dry_run(), job);
  }
  Status ReplayEvents(ServerContext*, const v1::ReplayEventsRequest* request, v1::Job* job) override {
    replay = *request;
    return Started(v1::JOB_KIND_REPLAY, request->dry_run(), job);
  }
  Status GetJob(ServerContext*, const v1::GetJobRequest* request, v1::Job* job) override {
    ++looks;
    if (looks == 1) return {grpc::StatusCode::UNAVAILABLE, "restarting"};
    job->set_id(request->id());
    job->set_kind(v1::JOB_KIND_RECOVER);
    job->set_expected(1000);
    job->set_matched(looks == 2 ? 250 : 1000);
    job->set_done(job->matched());
    job->set_state(looks == 2 ? v1::JOB_STATE_RUNNING : ends_as);
    return Status::OK;
  }
  Status CancelJob(ServerContext*, const v1::CancelJobRequest* request, v1::Job* job) override {
    job->set_id(request->id());
    job->set_state(v1::JOB_STATE_CANCELED);
    return Status::OK;
  }
  Status ListJobs(ServerContext*, const v1::ListJobsRequest* request,
                  v1::ListJobsResponse* response) override {
    list = *request;
    response->add_jobs()->set_id("job_0000000000000001");
    return Status::OK;
  }

  v1::RecoverDeliveriesRequest recover;
  v1::ExpireBacklogRequest expire;
  v1::ReplayEventsRequest replay;
  v1::ListJobsRequest list;
  v1::JobState ends_as = v1::JOB_STATE_DONE;
  int looks = 0;

 private:
  static Status Started(v1::JobKind kind, bool dry_run, v1::Job* job) {
    job->set_kind(kind);
    job->set_dry_run(dry_run);
    job->set_expected(1234);
    if (!dry_run) job->set_id("job_00000000000000aa");
    job->set_state(v1::JOB_STATE_RUNNING);
    return Status::OK;
  }
};

class FakeEndpoints final : public v1::EndpointService::Service {
 public:
  Status ChangeEndpoints(ServerContext*, const v1::ChangeEndpointsRequest* request,
                         v1::ChangeEndpointsResponse* response) override {
    changes.push_back(*request);
    response->add_endpoint_ids(request->page_token().empty() ? "ep_1" : "ep_2");
    if (request->page_token().empty()) response->set_next_page_token("more");
    return Status::OK;
  }
  Status ListTopEndpoints(ServerContext*, const v1::ListTopEndpointsRequest* request,
                          v1::ListTopEndpointsResponse* response) override {
    tops.push_back(*request);
    v1::TopEndpoint& top = *response->add_endpoints();
    top.set_id("ep_1");
    top.set_origin("http://h:80");
    top.mutable_statistics()->set_attempts(200);
    top.mutable_statistics()->set_succeeded(150);
    return Status::OK;
  }
  std::vector<v1::ChangeEndpointsRequest> changes;
  std::vector<v1::ListTopEndpointsRequest> tops;
};

class FakeEvents final : public v1::EventService::Service {
 public:
  Status GetEvent(ServerContext*, const v1::GetEventRequest* request, v1::Event* event) override {
    event->set_id(request->id());
    event->set_channel("\"payload\":\"\"");
    event->set_payload("{\"n\" :\n1.0}");
    return Status::OK;
  }
  Status PollEvents(ServerContext*, const v1::PollEventsRequest* request,
                    v1::PollEventsResponse* page) override {
    polls.push_back(*request);
    if (polls.size() > 1) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait"};
    page->add_events()->set_payload("1");
    page->set_cursor("c1");
    return Status::OK;
  }
  std::vector<v1::PollEventsRequest> polls;
};

class SteerTest : public ::testing::Test {
 protected:
  SteerTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    for (grpc::Service* service :
         std::initializer_list<grpc::Service*>{&operations_, &deliveries_, &jobs_, &endpoints_, &events_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    setenv("HOOKCTL_CONFIG", "/dev/null", 1);
  }
  ~SteerTest() override { server_->Shutdown(); }

  // The exit code; what it said is in out_ and err_.
  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"hookctl", "--server", address_});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = RunHookctl(static_cast<int>(argv.size()), argv.data(), "0");
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  FakeOperations operations_;
  FakeDeliveries deliveries_;
  FakeJobs jobs_;
  FakeEndpoints endpoints_;
  FakeEvents events_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::string out_;
  std::string err_;
};

TEST_F(SteerTest, WatchResumesBehindTheLastCommit) {
  EXPECT_EQ(Run({"deliveries", "tail", "--state", "exhausted", "--endpoint", "ep_1", "--type", "message:*"}),
            kExitRefused);
  ASSERT_EQ(deliveries_.requests.size(), 3U);
  EXPECT_EQ(deliveries_.requests[0].after_commit(), 40U) << "as GetStatus says";
  EXPECT_EQ(deliveries_.requests[1].after_commit(), 41U);
  EXPECT_EQ(deliveries_.requests[2].after_commit(), 42U);
  EXPECT_EQ(deliveries_.requests[0].states(0), v1::DELIVERY_STATE_EXHAUSTED);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2) << "of the type alone: " << out_;
  EXPECT_NE(out_.find("EXHAUSTED  dlv_1"), std::string::npos) << out_;
  EXPECT_EQ(err_, "hookctl: OUT_OF_RANGE: after_commit: list instead\n");
}

TEST_F(SteerTest, WatchAsLinesOfJson) {
  EXPECT_EQ(Run({"--output", "json", "deliveries", "watch", "--after-commit", "7", "--limit", "3"}), kExitOk);
  EXPECT_EQ(deliveries_.requests[0].after_commit(), 7U);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3) << out_;
  EXPECT_EQ(out_.rfind("{\"changes\":[{\"delivery_id\":\"dlv_1\"", 0), 0U) << out_;
  EXPECT_NE(out_.find("\"commit\":\"8\"}"), std::string::npos) << out_;
}

TEST_F(SteerTest, RecoverIsWaitedForOverARestart) {
  EXPECT_EQ(Run({"jobs", "recover", "--host", "h:80", "--state", "expired", "--from", "2h", "--rate", "50",
                 "--reason", "outage", "--wait", "--progress"}),
            kExitOk);
  EXPECT_EQ(jobs_.recover.host(), "h:80");
  EXPECT_EQ(jobs_.recover.state(), v1::DELIVERY_STATE_EXPIRED);
  EXPECT_EQ(jobs_.recover.rate(), 50U);
  EXPECT_EQ(jobs_.recover.reason(), "outage");
  EXPECT_TRUE(jobs_.recover.has_accept_time_from());
  EXPECT_FALSE(jobs_.recover.has_accept_time_before());
  EXPECT_NE(err_.find("[#####...............]  25 %  250 of 1,000"), std::string::npos) << err_;
  EXPECT_NE(out_.find("state       DONE"), std::string::npos) << out_;
}

TEST_F(SteerTest, AJobThatFailedIsAFailure) {
  jobs_.ends_as = v1::JOB_STATE_FAILED;
  EXPECT_EQ(Run({"jobs", "watch", "job_1"}), kExitRefused);
  EXPECT_EQ(jobs_.looks, 3);
}

TEST_F(SteerTest, ExpireIsConfirmed) {
  EXPECT_EQ(Run({"jobs", "expire", "--endpoint", "ep_1", "--before", "2h"}), kExitUsage);
  EXPECT_EQ(
      err_,
      "hookctl: give --yes to end pending deliveries of endpoint ep_1: there is no terminal to ask on\n");
  EXPECT_EQ(jobs_.expire.endpoint_id(), "") << "nothing was asked of the server";
  EXPECT_EQ(Run({"jobs", "expire", "--endpoint", "ep_1", "--dry-run"}), kExitOk);
  EXPECT_TRUE(jobs_.expire.dry_run());
  EXPECT_NE(out_.find("would look at  1,234"), std::string::npos) << out_;
  EXPECT_EQ(Run({"jobs", "expire", "--endpoint", "ep_1", "--type", "t", "--yes"}), kExitOk);
  EXPECT_FALSE(jobs_.expire.dry_run());
  EXPECT_EQ(jobs_.expire.event_type(), "t");
}

TEST_F(SteerTest, ReplayListAndCancel) {
  EXPECT_EQ(Run({"jobs", "replay", "--endpoint", "ep_1", "--since", "2026-01-01T00:00:00Z"}), kExitOk);
  EXPECT_EQ(jobs_.replay.endpoint_id(), "ep_1");
  EXPECT_TRUE(jobs_.replay.has_accept_time_from());
  EXPECT_EQ(Run({"jobs", "list", "--running"}), kExitOk);
  EXPECT_TRUE(jobs_.list.running());
  EXPECT_NE(out_.find("job_0000000000000001"), std::string::npos);
  EXPECT_EQ(Run({"jobs", "cancel", "job_1"}), kExitUsage);
  EXPECT_EQ(Run({"jobs", "cancel", "job_1", "-y"}), kExitOk);
}

TEST_F(SteerTest, BulkChangesPageAfterPage) {
  EXPECT_EQ(
      Run({"endpoints", "bulk", "enable", "--disabled-for", "failures", "--from", "2h", "--reason", "up"}),
      kExitOk);
  ASSERT_EQ(endpoints_.changes.size(), 2U);
  EXPECT_EQ(endpoints_.changes[1].action(), v1::ENDPOINT_ACTION_ENABLE);
  EXPECT_EQ(endpoints_.changes[1].disable_reason(), v1::DISABLE_REASON_FAILURES);
  EXPECT_EQ(endpoints_.changes[1].page_token(), "more");
  EXPECT_EQ(out_, "ep_1\nep_2\n");
  EXPECT_EQ(err_, "hookctl: enable: 2 endpoints changed\n");
  EXPECT_EQ(Run({"endpoints", "bulk", "disable", "--host", "h"}), kExitUsage);
  EXPECT_EQ(endpoints_.changes.size(), 2U) << "nothing was asked of the server";
  EXPECT_EQ(Run({"endpoints", "bulk", "disable", "--host", "h", "--dry-run"}), kExitOk);
  EXPECT_TRUE(endpoints_.changes.back().dry_run());
  EXPECT_EQ(Run({"endpoints", "bulk", "disable", "--host", "h", "--yes"}), kExitOk);
  EXPECT_FALSE(endpoints_.changes.back().dry_run());
}

TEST_F(SteerTest, TopShowsEveryRankingOnce) {
  EXPECT_EQ(Run({"endpoints", "top", "--window", "day"}), kExitOk);
  ASSERT_EQ(endpoints_.tops.size(), 4U);
  EXPECT_EQ(endpoints_.tops[1].by(), v1::TOP_BY_FAILURES);
  EXPECT_EQ(endpoints_.tops[1].window(), v1::STATISTICS_WINDOW_DAY);
  EXPECT_EQ(endpoints_.tops[1].limit(), 5);
  EXPECT_NE(out_.find("MOST FAILING\n"), std::string::npos) << out_;
  EXPECT_NE(out_.find("200       50      25.0 %"), std::string::npos) << out_;
  EXPECT_EQ(Run({"--output", "json", "endpoints", "top", "--by", "latency"}), kExitOk);
  EXPECT_EQ(out_.rfind("{\"latency\": {\"endpoints\":[{\"id\":\"ep_1\"", 0), 0U) << out_;
  EXPECT_EQ(endpoints_.tops.back().limit(), 10);
}

TEST_F(SteerTest, EventsCarryTheirPayloadAsJson) {
  EXPECT_EQ(Run({"--output", "json", "events", "get", "evt_1"}), kExitOk);
  EXPECT_NE(out_.find("\"payload\":{\"n\" : 1.0},"), std::string::npos) << out_;
  EXPECT_NE(out_.find("\"channel\":\"\\\"payload\\\":\\\"\\\"\""), std::string::npos) << out_;
  EXPECT_EQ(Run({"events", "get", "evt_1", "--payload"}), kExitOk);
  EXPECT_EQ(out_, "{\"n\" :\n1.0}") << "byte for byte";
}

TEST_F(SteerTest, PollFollowsItsCursor) {
  EXPECT_EQ(
      Run({"--output", "json", "events", "poll", "--endpoint", "ep_1", "--since", "1h", "--limit", "7"}),
      kExitOk);
  EXPECT_EQ(events_.polls[0].page_size(), 7);
  EXPECT_TRUE(events_.polls[0].has_since());
  EXPECT_NE(out_.find("\"payload\":1"), std::string::npos) << out_;
  EXPECT_NE(out_.find("\"cursor\":\"c1\""), std::string::npos) << out_;
  events_.polls.clear();
  EXPECT_EQ(Run({"events", "poll", "--subscriber", "acme", "--follow"}), kExitRefused);
  ASSERT_EQ(events_.polls.size(), 2U);
  EXPECT_EQ(events_.polls[1].cursor(), "c1");
  EXPECT_EQ(events_.polls[1].wait().seconds(), 30);
  EXPECT_NE(err_.find("go on with --cursor c1"), std::string::npos) << err_;
}

}  // namespace
}  // namespace hookd::cli
