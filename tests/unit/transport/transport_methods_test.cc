// Other methods than POST, and connections of a request's own.
#include <cerrno>

#include <gmock/gmock.h>

#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {
namespace {

using TransportMethodsTest = TransportFixture;

// One easy handle serves them all, one after the other.
TEST_F(TransportMethodsTest, EachMethodLeavesNothingToTheNext) {
  HttpReceiver receiver([](const ReceivedRequest& got) { return ReceiverAnswer::Status(200, got.method); });
  for (HttpMethod method : {HttpMethod::kPost, HttpMethod::kGet, HttpMethod::kPost, HttpMethod::kOptions,
                            HttpMethod::kGet, HttpMethod::kOptions, HttpMethod::kPost}) {
    HttpRequest request = Request(receiver.Url(), Millis(10'000), "{\"a\":1}");
    request.method = method;
    HttpResult result = Post(std::move(request));
    const bool post = method == HttpMethod::kPost;
    const std::string name = post ? "POST" : method == HttpMethod::kGet ? "GET" : "OPTIONS";
    EXPECT_EQ(result.status, 200) << result.error_detail;
    EXPECT_EQ(result.body, name);
    const ReceivedRequest got = receiver.requests().back();
    EXPECT_EQ(got.body, post ? "{\"a\":1}" : "") << name;
    EXPECT_EQ(got.Header("content-length"), post ? "7" : "") << name;
    EXPECT_EQ(got.target, "/?token=hush");
  }
  EXPECT_EQ(receiver.connection_count(), 1u) << "kept alive over all of them";
}

TEST_F(TransportMethodsTest, AFreshRequestHasAConnectionOfItsOwn) {
  HttpReceiver receiver;
  const auto send = [&](bool fresh) {
    HttpRequest request = Request(receiver.Url());
    request.fresh = fresh;
    return Post(std::move(request));
  };
  EXPECT_EQ(send(false).status, 200);
  EXPECT_GT(send(true).us.connect, 0);
  EXPECT_EQ(receiver.connection_count(), 2u);
  EXPECT_GT(send(true).us.connect, 0);
  EXPECT_EQ(receiver.connection_count(), 3u);
  EXPECT_EQ(send(false).us.connect, 0) << "the first one's connection is still there";
  EXPECT_EQ(receiver.connection_count(), 3u);
}

TEST_F(TransportMethodsTest, SaysWhereItEnded) {
  EXPECT_EQ(Post("http://nobody.test/").phase, ExchangePhase::kName);
  EXPECT_EQ(Post("http://silent.test/", Millis(50)).phase, ExchangePhase::kName);
  HttpReceiver receiver(
      [](const ReceivedRequest&) { return ReceiverAnswer::Raw("", ReceiverAnswer::Then::kHang); });
  EXPECT_EQ(Post(receiver.Url(), Millis(100)).phase, ExchangePhase::kAnswer);
  HttpRequest tls = Request("https://127.0.0.1:" + std::to_string(receiver.port()) + "/", Millis(200));
  receiver.SetHandler([](const ReceivedRequest&) { return ReceiverAnswer::Status(200); });
  const HttpResult broken = Post(std::move(tls));
  EXPECT_EQ(broken.phase, ExchangePhase::kTls) << broken.error_detail;
  const std::string gone = receiver.Url();
  receiver.Stop();
  const HttpResult refused = Post(gone);
  EXPECT_EQ(refused.phase, ExchangePhase::kConnect);
  EXPECT_EQ(refused.os_errno, ECONNREFUSED);
}

}  // namespace
}  // namespace hookd::testing
