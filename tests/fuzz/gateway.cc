// The JSON gateway: requests of every call between JSON and Protobuf. The input: which call, 1 byte, and a
// body.
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <google/protobuf/message.h>

#include "dispatcher/api/call_rules.h"
#include "dispatcher/api/guarded_services.h"
#include "dispatcher/api/message_json.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;
using google::protobuf::Descriptor;

// What each call asks; the services are linked in as the server's are.
const std::vector<const Descriptor*>& Requests() {
  static const std::vector<const Descriptor*>& all = *[] {
    auto* requests = new std::vector<const Descriptor*>;
    for (const auto* service : PublicServices()) {
      for (int i = 0; i < service->method_count(); ++i) requests->push_back(service->method(i)->input_type());
    }
    Must(requests->size() == CallRules().size(), "every call has a request here");
    return requests;
  }();
  return all;
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static const absl::Status linked = CheckCallRules(PublicServices(), CallRules());
  fuzz::Must(linked.ok(), "the rules fit the services");
  fuzz::Input input(data, size);
  const google::protobuf::Descriptor& type = *Requests()[input.Byte() % Requests().size()];
  const std::string_view body = input.rest();

  const absl::StatusOr<std::string> encoded = EncodedFromJson(type, body);
  if (!encoded.ok()) {
    fuzz::MustRefuse(encoded.status());
    fuzz::Must(!absl::StrContains(encoded.status().message(), "hunter2hunter2"), "no value is shown");
    const std::string quoted = JsonQuote(std::string_view(encoded.status().message()));
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
