#include "dispatcher/engine/certificate_watch.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/null_telemetry.h"

namespace hookd {
namespace {

constexpr WallMs kHour = 3'600'000;
constexpr WallMs kDay = 24 * kHour;
constexpr WallMs kNow = 1'700'000'000'000;

class Warnings : public NullTelemetry {
 public:
  void Warn(std::string_view event, std::string_view message) override {
    EXPECT_EQ(event, "certificate.ends");
    lines.emplace_back(message);
  }
  std::vector<std::string> lines;
};

TEST(CertificateWatchTest, CountsAndFindsTheSoonest) {
  Warnings warnings;
  CertificateWatch watch(warnings);
  EXPECT_EQ(watch.Read(kNow).seen, 0u);
  EXPECT_EQ(watch.Read(kNow).soonest_ms, 0);
  watch.Saw("a.example:443", kNow + 90 * kDay, kNow);
  watch.Saw("b.example:443", kNow + 15 * kDay, kNow);
  watch.Saw("c.example:443", 0, kNow);
  EXPECT_EQ(watch.Read(kNow).seen, 2u);
  EXPECT_EQ(watch.Read(kNow).expiring, 0u);
  EXPECT_EQ(watch.Read(kNow).soonest_ms, kNow + 15 * kDay);
  EXPECT_TRUE(warnings.lines.empty());
  EXPECT_EQ(watch.Read(kNow + kDay).expiring, 1u) << "time goes by";
}

TEST(CertificateWatchTest, WarnsOncePerDayAndHost) {
  Warnings warnings;
  CertificateWatch watch(warnings);
  for (int hour = 0; hour < 48; ++hour) watch.Saw("a.example:443", kNow + 10 * kDay, kNow + hour * kHour);
  watch.Saw("b.example:443", kNow - 1, kNow);
  ASSERT_EQ(warnings.lines.size(), 3u);
  EXPECT_EQ(warnings.lines[0], "a.example:443: its certificate ends in 240 h");
  EXPECT_EQ(warnings.lines[1], "a.example:443: its certificate ends in 216 h");
  EXPECT_EQ(warnings.lines[2], "b.example:443: its certificate has ended: attempts fail until it is renewed");
}

TEST(CertificateWatchTest, ARenewedOneAndOneThatIsSeenNoMoreDoNotCount) {
  Warnings warnings;
  CertificateWatch watch(warnings);
  watch.Saw("a.example:443", kNow + kDay, kNow);
  watch.Saw("b.example:443", kNow + kDay, kNow);
  watch.Saw("a.example:443", kNow + 90 * kDay, kNow + kHour);
  EXPECT_EQ(watch.Read(kNow + kHour).expiring, 1u);
  EXPECT_EQ(watch.Read(kNow + kDay + 1).seen, 1u);
  EXPECT_EQ(watch.Read(kNow + kDay + 1).expiring, 0u);
}

TEST(CertificateWatchTest, IsBounded) {
  Warnings warnings;
  CertificateWatch watch(warnings);
  for (size_t i = 0; i < kMaxWatchedCertificates + 5; ++i) {
    watch.Saw("h" + std::to_string(i), kNow + 90 * kDay, kNow);
  }
  EXPECT_EQ(watch.Read(kNow).seen, kMaxWatchedCertificates);
  watch.Saw("new", kNow + 90 * kDay, kNow + 2 * kDay);
  EXPECT_EQ(watch.Read(kNow + 2 * kDay).seen, 1u) << "those that were not seen for a day make room";
}

}  // namespace
}  // namespace hookd
