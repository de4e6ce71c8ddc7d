#include "dispatcher/tools/one_shot.h"

#include <vector>

#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_transport.h"

namespace hookd {
namespace {

using testing::FakeReceiver;
using testing::FakeTransport;
using testing::SentRequest;

HttpRequest To(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

class OneShotTest : public ::testing::Test {
 protected:
  void Hold() {
    receiver_.SetHandler([](const SentRequest&) { return std::nullopt; });
  }

  FakeReceiver receiver_;
  OneShotRunner runner_{
      [this](boost::asio::io_context& io) { return std::make_unique<FakeTransport>(io, receiver_); }};
};

TEST_F(OneShotTest, SendsAndAnswers) {
  absl::Notification done;
  HttpResult result;
  ASSERT_TRUE(runner_
                  .Send(To("http://a.test/"),
                        [&](HttpResult r) {
                          result = std::move(r);
                          done.Notify();
                        })
                  .ok());
  done.WaitForNotification();
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(receiver_.requests().at(0).url, "http://a.test/");
}

TEST_F(OneShotTest, SixteenAtATimeAndSixtyFourBehindThem) {
  Hold();
  absl::Mutex mutex;
  std::vector<int> order;
  absl::BlockingCounter left(80);
  const auto send = [&](int i) {
    return runner_.Send(To("http://a.test/"), [&, i](HttpResult) {
      {
        absl::MutexLock lock(&mutex);
        order.push_back(i);
      }
      left.DecrementCount();
    });
  };
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(send(i).ok()) << i;
  const absl::Status full = send(80);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "80 tests, checks and probes are under way: try again in a moment");
  ASSERT_TRUE(receiver_.WaitForCount(16));
  EXPECT_EQ(receiver_.requests().size(), 16u);
  receiver_.SetHandler([](const SentRequest&) { return 200; });
  receiver_.ReleaseAll(200);
  left.Wait();
  EXPECT_EQ(order.size(), 80u);
  EXPECT_EQ(receiver_.requests().size(), 80u);
  absl::Notification again;
  EXPECT_TRUE(runner_.Send(To("http://a.test/"), [&](HttpResult) { again.Notify(); }).ok())
      << "there is room again";
  again.WaitForNotification();
}

TEST_F(OneShotTest, StoppingEndsWhatIsLeftAsLocal) {
  Hold();
  std::vector<HttpResult> results;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        runner_.Send(To("http://a.test/"), [&](HttpResult r) { results.push_back(std::move(r)); }).ok());
  }
  ASSERT_TRUE(receiver_.WaitForCount(16));
  runner_.Stop();
  ASSERT_EQ(results.size(), 20u);
  for (const HttpResult& result : results) EXPECT_EQ(result.error, ErrorKind::kLocal);
  EXPECT_EQ(runner_.Send(To("http://a.test/"), [](HttpResult) {}).code(), absl::StatusCode::kUnavailable);
}

TEST_F(OneShotTest, ACallbackMaySendAgain) {
  absl::Notification done;
  ASSERT_TRUE(runner_
                  .Send(To("http://a.test/1"),
                        [&](HttpResult) {
                          EXPECT_TRUE(
                              runner_.Send(To("http://a.test/2"), [&](HttpResult) { done.Notify(); }).ok());
                        })
                  .ok());
  done.WaitForNotification();
  EXPECT_EQ(receiver_.requests().at(1).url, "http://a.test/2");
}

}  // namespace
}  // namespace hookd
