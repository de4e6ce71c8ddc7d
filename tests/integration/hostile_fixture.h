// Hostile receivers against the transport: each has a bound and an error kind, delays nobody, and costs no
// memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "tests/fakes/scripted_receiver.h"
#include "tests/fakes/under_asan.h"
#include "tests/unit/transport/transport_fixture.h"

namespace hookd::testing {

// What may come of a request, and how soon.
struct Outcome {
  ErrorKind error = ErrorKind::kProtocol;
  int status = 0;           // of kNone: the receiver's verdict, which stands whatever comes behind it
  Millis at_most{3'000};    // to a result; the deadlines of the cases are well below
  std::string detail = "";  // that the error's words begin with
  bool or_cut = false;      // libcurl takes so long over it that the guard may be first: kProtocol
};

struct HostileCase {
  std::string name;
  ScriptedReceiver::Script script;
  Outcome outcome;
  Millis timeout{30'000};  // the endpoint's
  std::string body = "{}";
  std::string scheme = "http";
  HttpVersion version = HttpVersion::kHttp11;
};

class HostileFixture : public TransportFixture {
 protected:
  static constexpr size_t kAtOnce = 8;
  static constexpr Millis kHealthyAtMost{2'000};
  static constexpr long kMemoryKib = 32 * 1024;  // for kAtOnce of them, and for the receivers' own threads

  static void TearDownTestSuite() {
    std::printf(
        "hostile receivers so far: %zu, requests to them: %zu, to the healthy one meanwhile: %zu, the "
        "slowest "
        "of these: %lld ms\n",
        cases_, hostile_, healthy_, static_cast<long long>(slowest_.count()));
  }

  // Several requests to it at once, and beside them one after another to a receiver that is well.
  std::vector<HttpResult> Attack(const HostileCase& one) {
    ScriptedReceiver hostile(one.script);
    const auto results = std::make_shared<std::vector<HttpResult>>();
    const long before = ResidentKib();
    HttpRequest request = Request(hostile.Url(one.scheme), one.timeout, one.body);
    request.http_version = one.version;
    for (size_t i = 0; i < kAtOnce; ++i) {
      transport_->Send(request, [results](HttpResult result) { results->push_back(std::move(result)); });
    }
    long grown = 0;
    do {
      const auto begun = std::chrono::steady_clock::now();
      EXPECT_EQ(Post(well_.Url()).status, 200) << one.name;
      const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - begun);
      EXPECT_LT(took.count(), kHealthyAtMost.count()) << one.name << ": a healthy receiver was delayed";
      slowest_ = std::max(slowest_, took);
      ++healthy_;
      grown = std::max(grown, ResidentKib() - before);
    } while (results->size() < kAtOnce && ResidentKib() - before < 16 * kMemoryKib);
    if (!kUnderAsan) {
      EXPECT_LT(grown, kMemoryKib) << one.name << ": memory";
    }
    ++cases_;
    hostile_ += kAtOnce;
    return *results;
  }

  void Hold(const HostileCase& one) {
    std::set<std::string> wrong;
    for (const HttpResult& result : Attack(one)) {
      const bool cut = one.outcome.or_cut && result.error == ErrorKind::kProtocol;
      if ((result.error == one.outcome.error || cut) && result.status == one.outcome.status &&
          result.us.total < one.outcome.at_most.count() * 1'000 &&
          result.error_detail.size() <= kMaxErrorDetail && result.body.size() <= kKeptBodyBytes &&
          result.headers.size() <= kKeptHeaderBytes) {
        continue;
      }
      wrong.insert(absl::StrCat(std::string(ToString(result.error)), " (", result.error_detail, "), status ",
                                result.status, ", ", result.us.total / 1'000, " ms, body ",
                                result.body.size(), ", headers ", result.headers.size()));
    }
    EXPECT_TRUE(wrong.empty()) << one.name << ": expected " << ToString(one.outcome.error) << ", status "
                               << one.outcome.status << " within " << one.outcome.at_most.count()
                               << " ms, got " << absl::StrJoin(wrong, "; ");
  }

  static long ResidentKib() {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
      long kib = 0;
      if (word == "VmRSS:" && status >> kib) return kib;
    }
    return 0;
  }

  HttpReceiver well_;

 private:
  static inline size_t cases_ = 0;
  static inline size_t hostile_ = 0;
  static inline size_t healthy_ = 0;
  static inline Millis slowest_{0};
};

}  // namespace hookd::testing
