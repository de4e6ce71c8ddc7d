// The calls that providers' customers know, over a real engine. The input: "METHOD TARGET", lines of headers,
// an empty line, the body. $KEY and $OTHER are keys of subscribers' that exist.
#include <memory>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_replace.h>
#include <boost/json/parse.hpp>

#include "base/concat.h"
#include "config/profile_loader.h"
#include "dispatcher/api/provider_rest.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/engine/engine.h"
#include "storage/memory_store.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/null_telemetry.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

// Runs until the process ends.
class World {
 public:
  World() {
    absl::StatusOr<std::vector<Profile>> read = LoadProfiles({"config/profiles"}, CheckProfile);
    Must(read.ok(), "the profiles of the repository, whose root this runs in");
    EngineOptions options;
    options.shards = 1;
    options.profiles = *Profiles::Make(*std::move(read), true);
    engine_ = std::make_unique<Engine>(
        options, store_, RealClock(), telemetry_,
        [this](boost::asio::io_context& io) {
          return std::make_unique<testing::FakeTransport>(io, receiver_);
        },
        [](const absl::Status& status) { Must(status.ok(), "the store works"); });
    Must(engine_->Start().ok(), "the engine starts");
    key_ = MakeKey("shop", "whizard");
    other_ = MakeKey("chat", "wamm");
    rest_.Open({}, *engine_, nullptr, telemetry_, RealClock());
  }

  RestAnswer Answer(fuzz::Input input) {
    RestRequest request;
    request.method = std::string(input.Until(' '));
    request.target = Filled(input.Line());
    for (std::string_view line = input.Line(); !line.empty(); line = input.Line()) {
      const size_t colon = line.find(": ");
      if (colon == std::string_view::npos) continue;
      request.headers.emplace_back(std::string(line.substr(0, colon)), Filled(line.substr(colon + 2)));
    }
    request.body = std::string(input.rest());
    request.body_too_large = request.body.size() > kMaxRestBodyBytes;
    if (!ProviderRest::Takes(request.target)) return {404, "{}"};
    return rest_.Answer(request);
  }

  bool ShowsKey(const std::string& text) const {
    return absl::StrContains(text, key_) || absl::StrContains(text, other_);
  }

 private:
  std::string Filled(std::string_view text) const {
    return absl::StrReplaceAll({text.data(), text.size()}, {{"$KEY", key_}, {"$OTHER", other_}});
  }
  std::string MakeKey(const std::string& subscriber, const std::string& profile) {
    Subscriber made;
    made.id = subscriber;
    made.profile = profile;
    Must(engine_->CreateSubscriber(made).ok(), "a subscriber is made");
    AccessToken token;
    token.role = TokenRole::kSubscriber;
    token.subscriber_ids = {subscriber};
    return engine_->MakeToken(token, OldTokens::kKeep)->text;
  }

  NullTelemetry telemetry_;
  testing::FakeReceiver receiver_;
  MemoryStore store_;
  std::unique_ptr<Engine> engine_;
  ProviderRest rest_;
  std::string key_;
  std::string other_;
};

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static World& world = *new World;
  const RestAnswer answer = world.Answer(fuzz::Input(data, size));
  fuzz::Must(answer.status >= 200 && answer.status < 500, "no input is an error of ours");
  fuzz::Must(answer.body.size() < 256 * 1024, "an answer is bounded");
  boost::system::error_code error;
  const boost::json::value body = boost::json::parse(answer.body, error);
  fuzz::Must(!error && body.is_object(), "an answer is a JSON object");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::Must(!world.ShowsKey(answer.body) || text.find("http") != std::string_view::npos, "no key is shown");
  return 0;
}
