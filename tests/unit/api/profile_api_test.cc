// Profiles through the API: what an endpoint gets of one, what is refused, and the catalogue.
#include <functional>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/event_service.grpc.pb.h"
#include "hookd/v1/profile_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"
#include "tests/unit/api/api_fixture.h"

namespace hookd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProfileApiTest : public testing::ApiTest {
 protected:
  ProfileApiTest() {
    v1::Subscriber customer;
    customer.set_id("customer");
    customer.set_profile("small");
    customer.set_plan("free");
    EXPECT_EQ(Create(customer), "");
  }

  // The error's message; "" = OK.
  std::string Create(const v1::Subscriber& subscriber) {
    grpc::ClientContext context;
    v1::CreateSubscriberRequest request;
    *request.mutable_subscriber() = subscriber;
    return Ended(subscribers_->CreateSubscriber(&context, request, &subscriber_));
  }
  std::string Update(const v1::Subscriber& subscriber, const std::vector<std::string>& paths) {
    grpc::ClientContext context;
    v1::UpdateSubscriberRequest request;
    *request.mutable_subscriber() = subscriber;
    for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
    return Ended(subscribers_->UpdateSubscriber(&context, request, &subscriber_));
  }
  // Of the customer, at a good URL; what is made is `endpoint_`.
  std::string Create(const std::function<void(v1::Endpoint&)>& change = [](v1::Endpoint&) {}) {
    grpc::ClientContext context;
    v1::CreateEndpointRequest request;
    request.mutable_endpoint()->set_subscriber_id("customer");
    request.mutable_endpoint()->set_url("https://a.example/h?key=hush");
    change(*request.mutable_endpoint());
    v1::CreateEndpointResponse response;
    const std::string ended = Ended(endpoints_->CreateEndpoint(&context, request, &response));
    if (ended.empty()) endpoint_ = response.endpoint();
    return ended;
  }
  std::string Update(const std::vector<std::string>& paths,
                     const std::function<void(v1::Endpoint&)>& change) {
    grpc::ClientContext context;
    v1::UpdateEndpointRequest request;
    request.mutable_endpoint()->set_id(endpoint_.id());
    change(*request.mutable_endpoint());
    for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
    v1::Endpoint updated;
    const std::string ended = Ended(endpoints_->UpdateEndpoint(&context, request, &updated));
    if (ended.empty()) endpoint_ = updated;
    return ended;
  }
  std::string Ended(const grpc::Status& status) {
    code_ = status.error_code();
    return status.error_message();
  }
  std::map<std::string, bool> Settings() const {
    return {endpoint_.settings().begin(), endpoint_.settings().end()};
  }

  grpc::StatusCode code_ = grpc::StatusCode::OK;
  v1::Subscriber subscriber_;
  v1::Endpoint endpoint_;
  const std::unique_ptr<v1::SubscriberService::Stub> subscribers_ = v1::SubscriberService::NewStub(channel_);
  const std::unique_ptr<v1::EndpointService::Stub> endpoints_ = v1::EndpointService::NewStub(channel_);
  const std::unique_ptr<v1::EventService::Stub> events_ = v1::EventService::NewStub(channel_);
  const std::unique_ptr<v1::ProfileService::Stub> profiles_ = v1::ProfileService::NewStub(channel_);
};

TEST_F(ProfileApiTest, AnEndpointIsMadeFromItsSubscribersProfile) {
  ASSERT_EQ(Create(), "");
  EXPECT_EQ(endpoint_.profile(), "small");
  EXPECT_EQ(endpoint_.policy().max_retries(), 5u);
  EXPECT_EQ(endpoint_.policy().timeout().seconds(), 10);
  EXPECT_EQ(endpoint_.policy().rate_limit().per_second(), 0u);
  EXPECT_FALSE(endpoint_.policy().auto_disable().on_gone());
  EXPECT_TRUE(endpoint_.policy().coalesce());
  EXPECT_THAT(endpoint_.policy().batch().event_types(), ElementsAre("failed"));
  EXPECT_EQ(Settings(), (std::map<std::string, bool>{
                            {"guaranteed", false}, {"parallel", false}, {"acks", true}, {"upload", false}}));
}

TEST_F(ProfileApiTest, SettingsActAndAreStoredByTheirNames) {
  ASSERT_EQ(Create([](v1::Endpoint& endpoint) {
              (*endpoint.mutable_settings())["guaranteedHooks"] = true;
              (*endpoint.mutable_settings())["parallel"] = true;
              (*endpoint.mutable_settings())["acks"] = false;
              endpoint.mutable_policy()->mutable_timeout()->set_seconds(30);
              endpoint.mutable_policy()->set_coalesce(false);
            }),
            "");
  EXPECT_EQ(endpoint_.policy().max_retries(), 19u);
  EXPECT_EQ(endpoint_.policy().mode(), v1::DELIVERY_MODE_PARALLEL);
  EXPECT_EQ(endpoint_.policy().max_in_flight(), 16u);
  EXPECT_EQ(endpoint_.policy().timeout().seconds(), 30);
  EXPECT_FALSE(endpoint_.policy().coalesce());
  EXPECT_THAT(endpoint_.muted_event_types(), ElementsAre("ack"));
  EXPECT_EQ(Settings(), (std::map<std::string, bool>{
                            {"guaranteed", true}, {"parallel", true}, {"acks", false}, {"upload", false}}));
  // What is not named takes its default; what the endpoint has set itself stays.
  ASSERT_EQ(
      Update({"settings"}, [](v1::Endpoint& endpoint) { (*endpoint.mutable_settings())["upload"] = true; }),
      "");
  EXPECT_EQ(endpoint_.policy().max_retries(), 5u);
  EXPECT_EQ(endpoint_.policy().mode(), v1::DELIVERY_MODE_ORDERED);
  EXPECT_EQ(endpoint_.policy().timeout().seconds(), 30);
  EXPECT_TRUE(endpoint_.muted_event_types().empty());
  EXPECT_TRUE(Settings()["upload"]);
  // A field that is named and not given is the profile's again, and so is the whole policy.
  ASSERT_EQ(Update({"policy.timeout"}, [](v1::Endpoint&) {}), "");
  EXPECT_EQ(endpoint_.policy().timeout().seconds(), 10);
  EXPECT_FALSE(endpoint_.policy().coalesce());
  ASSERT_EQ(Update({"policy"}, [](v1::Endpoint&) {}), "");
  EXPECT_TRUE(endpoint_.policy().coalesce());
}

TEST_F(ProfileApiTest, WhatTheProfileDoesNotLetIsRefusedByName) {
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.mutable_policy()->set_mode(v1::DELIVERY_MODE_KEYED); }),
              StartsWith("policy.mode: profile small does not let an endpoint set it"));
  EXPECT_EQ(code_, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.mutable_policy()->mutable_timeout()->set_seconds(31); }),
              HasSubstr("profile small allows at most 30000 ms (longest_timeout)"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.set_url("http://a.example/?key=hush"); }),
              HasSubstr("(url.schemes)"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.set_url("https://a.example:444/?key=hush"); }),
              HasSubstr("(url.ports)"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.add_headers()->set_name("X-Own"); }),
              HasSubstr("(custom_headers)"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { (*e.mutable_settings())["none"] = true; }),
              StartsWith("settings: profile small has no none, use guaranteed"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.set_profile("none"); }),
              StartsWith("profile: there is none of that name, use one of small"));
  EXPECT_THAT(Create([](v1::Endpoint& e) { e.add_event_types("ack"); }),
              StartsWith("event_types[0]: profile small has ack in the plans paid, gold"));
  EXPECT_EQ(code_, grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_EQ(Create(), "");
  EXPECT_THAT(Create(), HasSubstr("(endpoints_per_channel)"));
  EXPECT_EQ(code_, grpc::StatusCode::FAILED_PRECONDITION);
  // The same of an update, which changes nothing then.
  EXPECT_THAT(Update({"policy.backlog"}, [](v1::Endpoint& e) { e.mutable_policy()->set_backlog(7); }),
              StartsWith("policy.backlog: profile small does not let"));
  EXPECT_THAT(Update({"url"}, [](v1::Endpoint& e) { e.set_url("http://a.example/"); }),
              HasSubstr("(url.schemes)"));
  EXPECT_THAT(Update({"channels"},
                     [](v1::Endpoint& e) {
                       e.add_channels("a");
                       e.add_channels("b");
                     }),
              HasSubstr("(endpoints_per_channel)"));
  EXPECT_THAT(Update({"event_types"}, [](v1::Endpoint& e) { e.add_event_types("ack"); }),
              StartsWith("event_types[0]: profile small has ack"));
  // A value that the profile gives anyway is fine, for those who write all of them.
  EXPECT_EQ(Update({"policy.backlog"}, [](v1::Endpoint& e) { e.mutable_policy()->set_backlog(1000); }), "");
}

TEST_F(ProfileApiTest, OneEndpointForEachChannel) {
  const auto on = [](const std::string& channel) {
    return [channel](v1::Endpoint& endpoint) { endpoint.add_channels(channel); };
  };
  EXPECT_EQ(Create(on("a")), "");
  EXPECT_EQ(Create(on("b")), "");
  EXPECT_THAT(Create(on("a")), HasSubstr("channel a has them"));
  EXPECT_THAT(Update({"channels"}, on("a")), HasSubstr("channel a has them"));
  EXPECT_EQ(Update({"channels"}, on("c")), "");
  // An endpoint without the profile is not counted.
  v1::Subscriber free;
  free.set_id("plain");
  ASSERT_EQ(Create(free), "");
  const auto of_plain = [](v1::Endpoint& endpoint) { endpoint.set_subscriber_id("plain"); };
  EXPECT_EQ(Create(of_plain), "");
  EXPECT_EQ(endpoint_.profile(), "");
  EXPECT_EQ(Create(of_plain), "");
  EXPECT_THAT(Create([&](v1::Endpoint& endpoint) {
                of_plain(endpoint);
                (*endpoint.mutable_settings())["acks"] = true;
              }),
              StartsWith("settings: the endpoint has no profile"));
}

TEST_F(ProfileApiTest, SubscribersNameAProfileThatThereIs) {
  v1::Subscriber other;
  other.set_id("other");
  other.set_profile("large");
  EXPECT_EQ(Create(other), "profile: there is none of that name, use one of small");
  other.set_profile("");
  other.set_strict(true);
  EXPECT_EQ(Create(other), "strict: needs a profile, whose catalogue is held to");
  other.set_profile("small");
  other.set_plan("paid");
  other.add_alert_addresses("a@example.com");
  ASSERT_EQ(Create(other), "");
  EXPECT_TRUE(subscriber_.strict());
  other.Clear();
  other.set_id("other");
  EXPECT_EQ(Update(other, {"profile"}), "strict: needs a profile, whose catalogue is held to");
  ASSERT_EQ(Update(other, {"strict", "profile", "alert_addresses"}), "");
  EXPECT_EQ(subscriber_.profile(), "");
  EXPECT_EQ(subscriber_.plan(), "paid");
  EXPECT_TRUE(subscriber_.alert_addresses().empty());
  for (int i = 0; i < 11; ++i) other.add_alert_addresses("a@example.com");
  EXPECT_EQ(Update(other, {"alert_addresses"}), "alert_addresses: there are 11, use at most 10");
  EXPECT_THAT(Update(other, {"held_channels"}),
              HasSubstr("use: name, profile, plan, strict, alert_addresses"));
}

TEST_F(ProfileApiTest, ChannelsAreHeldAndReleased) {
  v1::HoldChannelRequest hold;
  hold.set_subscriber_id("customer");
  hold.set_channel("a");
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_EQ(Ended(subscribers_->HoldChannel(&context, hold, &subscriber_)), "");
    EXPECT_THAT(subscriber_.held_channels(), ElementsAre("a"));
    EXPECT_FALSE(subscriber_.paused());
  }
  v1::ReleaseChannelRequest release;
  release.set_subscriber_id("customer");
  release.set_channel("a");
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_EQ(Ended(subscribers_->ReleaseChannel(&context, release, &subscriber_)), "");
    EXPECT_TRUE(subscriber_.held_channels().empty());
  }
  grpc::ClientContext context;
  hold.clear_channel();
  EXPECT_EQ(Ended(subscribers_->HoldChannel(&context, hold, &subscriber_)), "channel: must not be empty");
  grpc::ClientContext other;
  hold.set_channel("a");
  hold.set_subscriber_id("nobody");
  EXPECT_EQ(Ended(subscribers_->HoldChannel(&other, hold, &subscriber_)), "no subscriber nobody");
  EXPECT_EQ(code_, grpc::StatusCode::NOT_FOUND);
}

TEST_F(ProfileApiTest, AQueryIsShownOnceAndThenOnDemand) {
  ASSERT_EQ(Create(), "");
  EXPECT_EQ(endpoint_.url(), "https://a.example/h?key=hush");
  v1::GetEndpointRequest get;
  get.set_id(endpoint_.id());
  v1::ListEndpointsRequest list;
  for (const bool shown : {false, true}) {
    get.set_with_url_query(shown);
    list.set_with_url_query(shown);
    const std::string url = shown ? "https://a.example/h?key=hush" : "https://a.example/h?key=***";
    grpc::ClientContext context;
    v1::Endpoint got;
    ASSERT_TRUE(endpoints_->GetEndpoint(&context, get, &got).ok());
    EXPECT_EQ(got.url(), url);
    grpc::ClientContext again;
    v1::ListEndpointsResponse all;
    ASSERT_TRUE(endpoints_->ListEndpoints(&again, list, &all).ok());
    EXPECT_EQ(all.endpoints(0).url(), url);
  }
  // A read that is written back leaves the query alone.
  ASSERT_EQ(Update({"url", "description"},
                   [](v1::Endpoint& endpoint) { endpoint.set_url("https://a.example/h?key=***"); }),
            "");
  EXPECT_EQ(endpoint_.url(), "https://a.example/h?key=***");
  grpc::ClientContext context;
  ASSERT_TRUE(endpoints_->GetEndpoint(&context, get, &endpoint_).ok());
  EXPECT_EQ(endpoint_.url(), "https://a.example/h?key=hush");
}

TEST_F(ProfileApiTest, PublishesSayWhatIsGatedAndWhatIsNotInTheCatalogue) {
  ASSERT_EQ(Create(), "");
  v1::PublishEventsRequest request;
  const auto add = [&request](const std::string& type, const std::string& payload) {
    v1::NewEvent& event = *request.add_events();
    event.set_subscriber_id("customer");
    event.set_type(type);
    event.set_payload(payload);
  };
  add("ack", "1");
  add("message", "1");
  add("unknown", "1");
  v1::PublishEventsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(events_->PublishEvents(&context, request, &response).ok());
  EXPECT_EQ(response.results(0).not_fanned_out(),
            "profile small has ack in the plans paid, gold; the subscriber's is \"free\"");
  EXPECT_EQ(response.results(0).deliveries(), 0u);
  EXPECT_EQ(response.results(1).not_fanned_out(), "");
  EXPECT_EQ(response.results(1).deliveries(), 1u);
  v1::Subscriber strict;
  strict.set_id("customer");
  strict.set_strict(true);
  ASSERT_EQ(Update(strict, {"strict"}), "");
  grpc::ClientContext again;
  ASSERT_TRUE(events_->PublishEvents(&again, request, &response).ok());
  EXPECT_EQ(response.results(0).code(), 0);
  EXPECT_EQ(response.results(1).code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(response.results(1).message(), HasSubstr("payload: does not fit the schema of message"));
  EXPECT_THAT(response.results(2).message(), HasSubstr("type: unknown is not in the catalogue"));
  v1::PublishEventRequest one;
  *one.mutable_event() = request.events(0);
  v1::PublishEventResponse answer;
  grpc::ClientContext third;
  ASSERT_TRUE(events_->PublishEvent(&third, one, &answer).ok());
  EXPECT_THAT(answer.not_fanned_out(), StartsWith("profile small has ack"));
}

TEST_F(ProfileApiTest, ShowsProfilesAndCatalogues) {
  grpc::ClientContext context;
  v1::ListProfilesResponse list;
  ASSERT_TRUE(profiles_->ListProfiles(&context, {}, &list).ok());
  ASSERT_EQ(list.profiles_size(), 1);
  const v1::Profile& small = list.profiles(0);
  EXPECT_EQ(small.name(), "small");
  EXPECT_EQ(small.policy().max_retries(), 5u);
  EXPECT_THAT(small.overridable(), ElementsAre("timeout", "max_retries", "coalesce"));
  EXPECT_EQ(small.settings(0).when_on().max_retries(), 19u);
  EXPECT_THAT(small.settings(2).when_off().muted_event_types(), ElementsAre("ack"));
  EXPECT_EQ(small.ownership(), v1::OWNERSHIP_NONE);
  EXPECT_TRUE(small.api_key().clears_endpoints());
  EXPECT_EQ(small.event_type_count(), 3u);

  grpc::ClientContext get;
  v1::GetProfileRequest by_name;
  by_name.set_name("large");
  v1::Profile profile;
  EXPECT_EQ(Ended(profiles_->GetProfile(&get, by_name, &profile)),
            "profile: there is none of that name, use one of small");
  EXPECT_EQ(code_, grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext types;
  v1::ListEventTypesRequest of_small;
  of_small.set_profile("small");
  v1::ListEventTypesResponse catalogue;
  ASSERT_TRUE(profiles_->ListEventTypes(&types, of_small, &catalogue).ok());
  ASSERT_EQ(catalogue.event_types_size(), 3);
  EXPECT_THAT(catalogue.event_types(1).plans(), ElementsAre("paid", "gold"));
  EXPECT_EQ(catalogue.event_types(2).shape(), v1::EVENT_SHAPE_BATCH);
  EXPECT_EQ(catalogue.event_types(0).samples(0).payload(), "");
  EXPECT_EQ(catalogue.event_types(0).schema(), "");

  grpc::ClientContext one;
  v1::GetEventTypeRequest message;
  message.set_profile("small");
  message.set_type("message");
  v1::EventType type;
  ASSERT_TRUE(profiles_->GetEventType(&one, message, &type).ok());
  EXPECT_THAT(type.samples(1).payload(), HasSubstr("Call-Miss"));
  EXPECT_THAT(type.schema(), HasSubstr("draft-07"));
  grpc::ClientContext none;
  message.set_type("none");
  EXPECT_EQ(Ended(profiles_->GetEventType(&none, message, &type)),
            "type: profile small has no type none, ListEventTypes has all of them");
}

}  // namespace
}  // namespace hookd
