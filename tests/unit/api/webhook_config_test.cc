// /v1/configs/webhook and wamm's two GETs, over HTTP, with the profiles that come with hookd.
#include <memory>
#include <string>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/concat.h"
#include "dispatcher/api/authenticator.h"
#include "dispatcher/api/http_port.h"
#include "dispatcher/api/provider_rest.h"
#include "tests/unit/api/api_fixture.h"
#include "tests/unit/api/http_client.h"

namespace hookd {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kPath[] = "/v1/configs/webhook";
constexpr char kUrl[] = "https://example.com/webhook";
constexpr char kBasic[] = "Basic dGVzdHVzZXI6dGVzdHBhc3M=";

class DemandsProof final : public ToolRules {
 public:
  absl::Status MaySimulate(const std::string&, const Subscriber&) const override { return absl::OkStatus(); }
  absl::Status MayCapture(const std::string&, const Subscriber&) const override { return absl::OkStatus(); }
  VerificationMethod Ownership(const std::string& profile) const override {
    return profile == "whizard" ? VerificationMethod::kHubChallenge : VerificationMethod::kNone;
  }
};

struct Got {
  int status = 0;
  json::object document;
  std::string text;

  const json::object& meta() const { return document.at("meta").get_object(); }
  std::string detail() const { return std::string(meta().at("details").at(0).get_string()); }
};

class WebhookConfigTest : public testing::ApiTest {
 protected:
  explicit WebhookConfigTest(const ToolRules* rules = nullptr)
      : testing::ApiTest(rules, testing::ShippedProfiles()) {
    HttpPortOptions options;
    options.listen = "127.0.0.1:0";
    options.metrics = [] { return std::string(); };
    options.ready = [] { return absl::OkStatus(); };
    options.rest = &rest_;
    absl::StatusOr<std::unique_ptr<HttpPort>> port = HttpPort::Start(std::move(options));
    EXPECT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
    Make("shop", "whizard");
    Make("boiler", "cbot");
    Make("chat", "wamm");
  }
  ~WebhookConfigTest() override {
    rest_.Close();
    port_.reset();
  }

  void Open() { rest_.Open({}, *engine_, tools_.get(), telemetry_, RealClock()); }
  void Make(const std::string& id, const std::string& profile) {
    Subscriber subscriber;
    subscriber.id = id;
    subscriber.profile = profile;
    ASSERT_TRUE(engine_->CreateSubscriber(subscriber).ok());
  }
  std::string Key(std::vector<std::string> subscribers, OldTokens old = OldTokens::kKeep,
                  TokenRole role = TokenRole::kSubscriber) {
    AccessToken token;
    token.role = role;
    token.subscriber_ids = std::move(subscribers);
    absl::StatusOr<MadeToken> made = engine_->MakeToken(token, old);
    EXPECT_TRUE(made.ok()) << made.status();
    return made->text;
  }
  Got Call(const std::string& method, const std::string& target, const std::string& headers,
           const std::string& body = "") {
    testing::HttpClient client(port_->address());
    client.Send(Concat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                       "Content-Length: ", body.size(), "\r\n\r\n", body));
    const testing::HttpResponse response = client.Read();
    EXPECT_EQ(response["Content-Type"], "application/json");
    Got got;
    got.status = static_cast<int>(response.result_int());
    got.text = response.body();
    got.document = json::parse(response.body()).as_object();
    return got;
  }
  Got Post(const std::string& key, const std::string& body) {
    return Call("POST", kPath, Concat("WHIZARD-KEY: ", key, "\r\nContent-Type: application/json\r\n"), body);
  }
  Got Get(const std::string& key, const std::string& header = "WHIZARD-KEY") {
    return Call("GET", kPath, Concat(header, ": ", key, "\r\n"));
  }
  std::vector<EndpointView> Endpoints(const std::string& subscriber) {
    return *engine_->ListEndpoints(subscriber, EndpointId{}, 10);
  }

  ProviderRest rest_;
  std::unique_ptr<HttpPort> port_;
};

std::string Body(const std::string& url, const std::string& headers = "") {
  return Concat("{\"url\": \"", url, "\"", headers.empty() ? "" : ", \"headers\": ", headers, "}");
}

void ExpectFailure(const Got& got, int status) {
  EXPECT_EQ(got.status, status) << got.text;
  EXPECT_EQ(got.meta().at("http_code").as_int64(), status);
  EXPECT_FALSE(got.meta().at("success").as_bool());
  EXPECT_FALSE(got.meta().at("developer_message").as_string().empty());
}

TEST_F(WebhookConfigTest, SetsShowsReplacesAndRemoves) {
  Open();
  const std::string key = Key({"shop"});
  ExpectFailure(Get(key), 404);

  const std::string headers = Concat("{\"Authorization\": \"", kBasic, "\"}");
  Got got = Post(key, Body(kUrl, headers));
  EXPECT_EQ(got.status, 200) << got.text;
  EXPECT_EQ(got.document, json::parse(Body(kUrl, headers)).as_object());
  got = Get(key);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.document, json::parse(Body(kUrl, headers)).as_object());
  ASSERT_THAT(Endpoints("shop"), SizeIs(1));
  const std::shared_ptr<const Endpoint> endpoint = Endpoints("shop")[0].endpoint;
  EXPECT_EQ(endpoint->profile, "whizard");
  EXPECT_EQ(endpoint->policy.mode, DeliveryMode::kParallel);
  EXPECT_TRUE(endpoint->headers[0].secret);

  got = Post(key, Body("https://example.com/other"));
  EXPECT_EQ(got.document, json::parse(R"({"url": "https://example.com/other", "headers": {}})").as_object());
  ASSERT_THAT(Endpoints("shop"), SizeIs(1));
  EXPECT_EQ(Endpoints("shop")[0].endpoint->id, endpoint->id);
  EXPECT_THAT(Endpoints("shop")[0].endpoint->headers, SizeIs(0));

  for (int i = 0; i < 2; ++i) {
    got = Call("DELETE", kPath, Concat("whizard-key: ", key, "\r\n"));
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.document, json::parse(R"({"url": "", "headers": {}})").as_object());
  }
  ExpectFailure(Get(key), 404);
  EXPECT_THAT(Endpoints("shop"), SizeIs(0));
}

TEST_F(WebhookConfigTest, OnlyAKeyOfTheSubscriberInItsProfilesHeader) {
  Open();
  ExpectFailure(Call("GET", kPath, ""), 401);
  ExpectFailure(Get("adafABC43"), 401);
  ExpectFailure(Get(Key({"shop"}), "API-KEY"), 401);  // of cbot
  ExpectFailure(Get(Key({"boiler"})), 401);           // whose header is another
  ExpectFailure(Get(Key({"acme"})), 401);             // has no profile
  ExpectFailure(Get(Key({}, OldTokens::kKeep, TokenRole::kOperator)), 401);
  EXPECT_EQ(Get(Key({"boiler"}), "api-key").status, 404);
  ExpectFailure(Call("PUT", kPath, ""), 405);
}

TEST_F(WebhookConfigTest, SaysWhatIsWrongAndChangesNothing) {
  Open();
  const std::string key = Key({"shop"});
  const auto refused = [&](const std::string& body, const std::string& detail) {
    const Got got = Post(key, body);
    ExpectFailure(got, 400);
    EXPECT_THAT(got.detail(), HasSubstr(detail)) << body;
  };
  refused("", "body: is not a JSON object");
  refused("[]", "body: is not a JSON object");
  refused("{}", "url: is missing");
  refused(R"({"url": 5})", "url: is not a text");
  refused(Body("www.example.com/webhook"), "url: has no scheme");
  refused(Body("https://example.com:8443/"), "443");
  refused(Body("ftp://example.com/"), "url");
  refused(R"({"URL": "https://example.com/"})", "URL: there are url and headers alone");
  refused(Body(kUrl, "[]"), "headers: is not an object");
  refused(Body(kUrl, R"({"a": 1})"), "headers: the value of a is not a text");
  refused(Body(kUrl, R"({"a b": "x"})"), "headers");
  refused(Body(kUrl, R"({"a": "x\r\nb: c"})"), "headers");
  refused(Body(kUrl, R"({"webhook-id": "x"})"), "headers");
  const Got type =
      Call("POST", kPath, Concat("WHIZARD-KEY: ", key, "\r\nContent-Type: text/plain\r\n"), Body(kUrl));
  ExpectFailure(type, 400);
  EXPECT_THAT(type.detail(), HasSubstr("Content-Type"));
  ExpectFailure(Post(key, std::string(kMaxRestBodyBytes + 1, ' ')), 413);
  EXPECT_THAT(Endpoints("shop"), SizeIs(0));
}

TEST_F(WebhookConfigTest, OurOwnTroubleIs500) {
  ExpectFailure(Get("whatever"), 500);  // it is starting
  Open();
  const std::string key = Key({"shop"});
  engine_->Drain(Duration::zero());
  engine_->Stop();
  ExpectFailure(Post(key, Body(kUrl)), 500);
}

TEST_F(WebhookConfigTest, APartnersKeyNamesTheSubscriber) {
  Make("shop2", "whizard");
  Open();
  const std::string key = Key({"shop", "shop2"});
  ExpectFailure(Get(key), 400);
  const auto header = Concat("WHIZARD-KEY: ", key, "\r\nContent-Type: application/json\r\n");
  EXPECT_EQ(Call("POST", Concat(kPath, "?subscriber=shop2"), header, Body(kUrl)).status, 200);
  EXPECT_THAT(Endpoints("shop2"), SizeIs(1));
  EXPECT_THAT(Endpoints("shop"), SizeIs(0));
  ExpectFailure(Call("GET", Concat(kPath, "?subscriber=boiler"), header), 401);
}

TEST_F(WebhookConfigTest, ANewKeyTakesTheUrlAndSettingItAgainSendsWhatWaited) {
  Open();
  const auto call = [this](const std::string& method, const std::string& key, const std::string& body = "") {
    return Call(method, kPath, Concat("API-KEY: ", key, "\r\nContent-Type: application/json\r\n"), body);
  };
  const std::string old = Key({"boiler"});
  EXPECT_EQ(call("POST", old, Body(kUrl, R"({"X-Secret": "hush"})")).status, 200);
  const Got masked = call("GET", old);
  EXPECT_EQ(masked.document.at("headers").at("X-Secret").as_string(), "***");
  EXPECT_THAT(masked.text, Not(HasSubstr("hush")));

  const std::string key = Key({"boiler"});
  ExpectFailure(call("GET", old), 401);
  EXPECT_EQ(Endpoints("boiler")[0].endpoint->disabled, DisableReason::kUrlCleared);
  ExpectFailure(call("GET", key), 404);
  EXPECT_EQ(call("POST", key, Body(kUrl)).status, 200);
  EXPECT_EQ(Endpoints("boiler")[0].endpoint->disabled, DisableReason::kNone);
}

class VerifiedWebhookConfigTest : public WebhookConfigTest {
 protected:
  VerifiedWebhookConfigTest() : WebhookConfigTest(&rules_) {}

 private:
  DemandsProof rules_;
};

TEST_F(VerifiedWebhookConfigTest, AProofIsDemandedHereToo) {
  Open();
  const std::string key = Key({"shop"});
  EXPECT_EQ(Post(key, Body(kUrl)).status, 200);
  EXPECT_EQ(Endpoints("shop")[0].endpoint->disabled, DisableReason::kUnverified);
}

class MessageGetsTest : public WebhookConfigTest {
 protected:
  void Publish(const std::string& type, const std::string& phone, int id) {
    PublishMessage(type, phone, Concat(R"({"msg_id": )", id, "}"));
  }
  void PublishMessage(const std::string& type, const std::string& phone, const std::string& message) {
    NewEvent event;
    event.event.subscriber_id = "chat";
    event.event.type = type;
    event.event.ordering_key = phone;
    event.event.payload = Concat(R"({"tip": "msg", "msg_data": )", message, "}");
    absl::Notification done;
    ASSERT_TRUE(engine_->Publish({event}, [&](const std::vector<PublishOutcome>&) { done.Notify(); }).ok());
    done.WaitForNotification();
  }
  std::string Ids(const Got& got) {
    EXPECT_EQ(got.status, 200) << got.text;
    EXPECT_EQ(got.document.at("err").as_int64(), 0);
    std::string ids;
    for (const json::value& message : got.document.at("msg_data").as_array()) {
      ids += std::to_string(message.at("msg_id").as_int64());
    }
    return ids;
  }
};

TEST_F(MessageGetsTest, TheNewestOfADirectionAndOfAChat) {
  Open();
  Endpoint endpoint;
  endpoint.subscriber_id = "chat";
  endpoint.url = "https://example.com/";
  endpoint.signing_keys = {{std::string(32, 'k')}};
  ASSERT_TRUE(engine_->CreateEndpoint(endpoint).ok());
  const std::string key = Key({"chat"});
  EXPECT_EQ(Ids(Call("GET", Concat("/api2/msg_get_last/", key, "/"), "")), "");
  Publish("msg:in", "111", 1);
  Publish("msg:out", "111", 2);
  Publish("msg:in", "222", 3);
  Publish("msg_state", "111", 4);
  Publish("msg:in", "111", 5);
  EXPECT_EQ(Ids(Call("GET", Concat("/api2/msg_get_last/", key, "/"), "")), "5321");
  EXPECT_EQ(Ids(Call("GET", Concat("/api2/msg_get_last/", key, "/?col=2&from_me=0"), "")), "53");
  EXPECT_EQ(Ids(Call("GET", Concat("/api2/msg_get_last/", key, "?from_me=1"), "")), "2");
  EXPECT_EQ(Ids(Call("GET", Concat("/api2/msg_get/", key, "/?phone=111&col=100"), "")), "521");

  const auto refused = [&](const std::string& target, int status, const std::string& why) {
    const Got got = Call("GET", target, "");
    EXPECT_EQ(got.status, status) << got.text;
    EXPECT_EQ(got.document.at("err").as_int64(), 1);
    EXPECT_THAT(got.text, HasSubstr(why));
  };
  refused(Concat("/api2/msg_get_last/", key, "/?col=101"), 400, "col: is 1 to 100");
  refused(Concat("/api2/msg_get_last/", key, "/?from_me=2"), 400, "from_me");
  refused(Concat("/api2/msg_get/", key, "/"), 400, "phone");
  refused("/api2/msg_get_last/wrong/", 401, "not valid");
  refused(Concat("/api2/msg_get_last/", Key({"shop"}), "/"), 401, "not valid");
  EXPECT_EQ(Call("POST", Concat("/api2/msg_get_last/", key, "/"), "").status, 405);
}

TEST_F(MessageGetsTest, MessagesAreAsTheyWerePublished) {
  Open();
  Endpoint endpoint;
  endpoint.subscriber_id = "chat";
  endpoint.url = "https://example.com/";
  endpoint.signing_keys = {{std::string(32, 'k')}};
  ASSERT_TRUE(engine_->CreateEndpoint(endpoint).ok());
  const std::string nested = R"({"msg_data":[ {"a" : [[]]} ]})";
  const std::string numbers = R"({"a": 1e400, "b":-1e400, "c":123456789012345678901234567890,"d":0.10})";
  PublishMessage("msg:in", "111", numbers);
  PublishMessage("msg:in", "111", nested);
  PublishMessage("msg:in", "111", R"("\u0041")");
  const Got got = Call("GET", Concat("/api2/msg_get_last/", Key({"chat"}), "/"), "");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.text, Concat(R"({"err":0,"msg_data":["\u0041",)", nested, ",", numbers, "]}"));
}

TEST_F(WebhookConfigTest, WrongKeysAreSlowedByAddressAndCounted) {
  Open();
  const std::string used = Key({"shop"});
  const std::string unused = Key({"shop"});
  EXPECT_EQ(Get(used).status, 404);
  for (uint32_t i = 0; i < kWrongTokensBurst; ++i) {
    EXPECT_EQ(Get("hkt_0000000000000007_").status, 401) << i;
  }
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kInvalid), kWrongTokensBurst);
  // One may come back in within the second that each of these waits for.
  int slowed = 0;
  for (int i = 0; i < 20; ++i) {
    const Got got = Get(unused.substr(0, 21) + std::string(64, '0'));
    if (got.status == 401) continue;
    ++slowed;
    EXPECT_EQ(got.meta().at("http_code").as_int64(), 429);
  }
  EXPECT_GE(slowed, 1);
  EXPECT_EQ(telemetry_.auth_failures(AuthFailure::kSlowed), static_cast<uint64_t>(slowed));
  EXPECT_EQ(Get(used).status, 404) << "a key in use passes";
  EXPECT_EQ(Call("GET", "/api2/msg_get_last/wrong/", "").document.at("err").as_int64(), 1);
}

}  // namespace
}  // namespace hookd
