// The JSON gateway: requests of every call between JSON and Protobuf. The input: which call, 1 byte, and a
// body.
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include "dispatcher/api/message_json.h"
#include "tests/fakes/api_files.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

const std::vector<const google::protobuf::MethodDescriptor*>& Methods() {
  static const auto& all = *new auto(testing::ApiMethods());
  fuzz::Must(!all.empty(), "every call is here");
  return all;
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static auto* const silenced = google::protobuf::SetLogHandler(nullptr);  // of texts that are not UTF-8
  static_cast<void>(silenced);
  fuzz::Input input(data, size);
  const google::protobuf::Descriptor& type = *Methods()[input.Byte() % Methods().size()]->input_type();
  const std::string_view body = input.rest();

  const absl::StatusOr<std::string> encoded = EncodedFromJson(type, body);
  if (!encoded.ok()) {
    fuzz::MustRefuse(encoded.status());
    const absl::string_view message = encoded.status().message();
    // A name that is no field's is shown.
    fuzz::Must(!absl::StrContains(message, "hunter2hunter2") || absl::StrContains(message, "no such field"),
               "no value is shown");
    const std::string quoted = JsonQuote({message.data(), message.size()});
    fuzz::Must(quoted.size() >= 2 && quoted.find('\n') == std::string::npos, "an error can be quoted");
  } else {
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
    fuzz::Must(message->ParseFromString(*encoded), "what was JSON is the request");
    const absl::StatusOr<std::string> json = JsonFromEncoded(type, *encoded);
    if (json.ok()) {
      const absl::StatusOr<std::string> again = EncodedFromJson(type, *json);
      fuzz::Must(again.ok() && JsonFromEncoded(type, *again) == json,
                 "JSON that is written is read the same");
    }
  }

  // As an answer's bytes would be.
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
  if (message->ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    static_cast<void>(JsonFromEncoded(type, message->SerializeAsString()));
  }
  return 0;
}
