#include "dispatcher/api/message_json.h"

#include <string>

#include <gtest/gtest.h>

#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/event_service.pb.h"

namespace hookd {
namespace {

template <typename Message>
Message Parsed(const std::string& json) {
  const absl::StatusOr<std::string> encoded = EncodedFromJson(*Message::descriptor(), json);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  Message message;
  EXPECT_TRUE(message.ParseFromString(encoded.value_or("")));
  return message;
}

std::string ErrorOf(const std::string& json) {
  const auto encoded = EncodedFromJson(*v1::PublishEventsRequest::descriptor(), json);
  EXPECT_EQ(encoded.status().code(), absl::StatusCode::kInvalidArgument) << json;
  return std::string(encoded.status().message());
}

TEST(MessageJsonTest, BothSpellingsOfAFieldAreRead) {
  for (const char* json :
       {R"({"endpoint":{"subscriberId":"a","policy":{"maxRetries":7,"timeout":"1.5s"}}})",
        R"({"endpoint":{"subscriber_id":"a","policy":{"max_retries":"7","timeout":"1.500s"}}})"}) {
    const auto request = Parsed<v1::CreateEndpointRequest>(json);
    EXPECT_EQ(request.endpoint().subscriber_id(), "a");
    EXPECT_EQ(request.endpoint().policy().max_retries(), 7u);
    EXPECT_EQ(request.endpoint().policy().timeout().nanos(), 500'000'000);
  }
  EXPECT_EQ(Parsed<v1::PublishEventRequest>(R"({"event":{"payload":"eyJhIjoxfQ=="}})").event().payload(),
            R"({"a":1})");
  EXPECT_EQ(
      Parsed<v1::UpdateEndpointRequest>(R"({"updateMask":"policy.maxRetries,url"})").update_mask().paths(0),
      "policy.max_retries");
}

TEST(MessageJsonTest, ErrorsNameTheFieldAndNeverShowAValue) {
  EXPECT_EQ(ErrorOf(R"({"events":[{},{"tpye":"x"}]})"),
            "events[1].tpye: there is no such field, see the .proto files");
  EXPECT_EQ(ErrorOf(R"({"foo":1})"), "foo: there is no such field, see the .proto files");
  EXPECT_EQ(ErrorOf(R"({"events":[{"payload":"!!secret!!"}]})"),
            "events[0].payload: is not a valid value (TYPE_BYTES)");
  EXPECT_EQ(ErrorOf(R"({"events":[{"expireTime":"x for type secret"}]})"),
            "events[0].expire_time: is not a valid value (google.protobuf.Timestamp)");
  EXPECT_EQ(ErrorOf(R"({"events":[{"payload" "secret"}]})"),
            "the body is not JSON: Expected : between key:value pair.");
  EXPECT_EQ(ErrorOf(R"({"events":[{"payload":")"
                    "\xff\xfe"
                    R"(secret"}]})"),
            "the body is not JSON: Encountered non UTF-8 code points.");
  for (const char* json : {"[]", "1", "null"}) {
    EXPECT_EQ(ErrorOf(json), "the body must be a JSON object, {} if there is nothing to say");
  }
  EXPECT_EQ(ErrorOf(""), "the body is not JSON: Unexpected end of string. Expected a value.");
  EXPECT_LT(ErrorOf("{\"" + std::string(100'000, 'x') + "\":1}").size(), 200u);
  for (const char* hostile : {R"({"events":{"): invalid value ":1}})", R"({"(": Cannot find field.":1})"}) {
    EXPECT_LT(ErrorOf(hostile).size(), 200u);
  }
  EXPECT_LT(ErrorOf(std::string(100'000, '[')).size(), 200u);
}

TEST(MessageJsonTest, DefaultsAreLeftOutAndNamesAreLowerCamelCase) {
  v1::PublishEventResponse response;
  response.set_event_id("evt_1");
  const auto json = JsonFromEncoded(*v1::PublishEventResponse::descriptor(), response.SerializeAsString());
  EXPECT_EQ(json.value(), R"({"eventId":"evt_1"})");
}

TEST(MessageJsonTest, QuotesWhatJsonNeedsQuoted) {
  EXPECT_EQ(JsonQuote("a\"b\\c\n\x01\x7f\xff"), R"("a\"b\\c\u000a\u0001??")");
}

}  // namespace
}  // namespace hookd
