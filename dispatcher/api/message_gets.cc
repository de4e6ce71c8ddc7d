#include "dispatcher/api/message_gets.h"

#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/status_macros.h"
#include "dispatcher/api/newest_events.h"
#include "dispatcher/core/json_member.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/engine/engine.h"

namespace hookd {
namespace {

namespace json = boost::json;

constexpr std::string_view kLast = "/api2/msg_get_last/";
constexpr std::string_view kOfChat = "/api2/msg_get/";

json::string Json(std::string_view text) { return json::string(text.data(), text.size()); }

bool IsOfChat(std::string_view target) { return target.starts_with(kOfChat); }

std::string_view KeyOf(std::string_view target) {
  std::string_view key = target.substr(0, target.find('?'));
  key.remove_prefix(IsOfChat(target) ? kOfChat.size() : kLast.size());
  if (key.ends_with('/')) key.remove_suffix(1);
  return key;
}

absl::StatusOr<NewestQuery> MakeQuery(std::string_view target, const ProfileMessageGets& gets) {
  NewestQuery query;
  if (const std::optional<std::string_view> count = QueryValue(target, "col")) {
    size_t number = 0;
    if (!absl::SimpleAtoi(absl::string_view(count->data(), count->size()), &number) || number < 1 ||
        number > kMaxNewestEvents) {
      return absl::InvalidArgumentError(absl::StrCat("col: is 1 to ", kMaxNewestEvents));
    }
    query.limit = number;
  }
  query.event_type = gets.all;
  if (const std::optional<std::string_view> from_me = QueryValue(target, "from_me")) {
    if (from_me != "0" && from_me != "1") return absl::InvalidArgumentError("from_me: is 0 or 1");
    query.event_type = from_me == "0" ? gets.incoming : gets.outgoing;
  }
  if (IsOfChat(target)) {
    query.ordering_key = QueryValue(target, "phone").value_or("");
    if (query.ordering_key.empty()) return absl::InvalidArgumentError("phone: is missing");
  }
  return query;
}

absl::StatusOr<RestAnswer> Carry(Engine& engine, Authenticator& keys, const RestRequest& request) {
  if (request.method != "GET") return absl::UnimplementedError("use GET");
  const absl::Status unknown = absl::UnauthenticatedError("the key is not valid");
  const absl::StatusOr<Caller> caller = keys.Identify(KeyOf(request.target), request.remote);
  if (absl::IsUnauthenticated(caller.status())) return unknown;
  RETURN_IF_ERROR(caller.status());
  const AccessToken& token = *caller->token;
  if (token.role != TokenRole::kSubscriber || token.subscriber_ids.size() != 1) return unknown;
  const absl::StatusOr<SubscriberView> view = engine.GetSubscriber(token.subscriber_ids.front());
  if (absl::IsNotFound(view.status())) return unknown;
  RETURN_IF_ERROR(view.status());
  const LoadedProfile* profile = engine.profiles().Find(view->subscriber.profile);
  if (profile == nullptr || !(*profile)->message_gets) return unknown;
  const ProfileMessageGets& gets = *(*profile)->message_gets;
  ASSIGN_OR_RETURN(NewestQuery query, MakeQuery(request.target, gets));
  query.subscriber_id = view->subscriber.id;
  ASSIGN_OR_RETURN(const NewestPage newest, ReadNewest(engine, query));
  // As they were published: a reader that keeps values would round numbers, and has no text for 1e400.
  std::string document = R"({"err":0,"msg_data":[)";
  for (const std::shared_ptr<const Event>& event : newest.events) {
    const std::optional<std::string_view> message = JsonMember(event->payload, gets.member);
    if (!message) continue;
    if (!document.ends_with('[')) document += ',';
    document += *message;
  }
  document += "]}";
  return RestAnswer{200, std::move(document)};
}

}  // namespace

bool IsMessageGet(std::string_view target) {
  return target.starts_with(kLast) || target.starts_with(kOfChat);
}

RestAnswer MessageGetFailed(int status, std::string_view message) {
  json::object document;
  document.emplace("err", 1);
  document.emplace("err_msg", Json(message));
  return {status, json::serialize(document)};
}

RestAnswer GetMessages(Engine& engine, Authenticator& keys, const RestRequest& request) {
  const absl::StatusOr<RestAnswer> answer = Carry(engine, keys, request);
  if (answer.ok()) return *answer;
  const std::string_view message(answer.status().message().data(), answer.status().message().size());
  switch (answer.status().code()) {
    case absl::StatusCode::kInvalidArgument:
      return MessageGetFailed(400, message);
    case absl::StatusCode::kUnauthenticated:
      return MessageGetFailed(401, message);
    case absl::StatusCode::kUnimplemented:
      return MessageGetFailed(405, message);
    case absl::StatusCode::kResourceExhausted:
      return MessageGetFailed(429, message);
    default:
      return MessageGetFailed(500, message);
  }
}

}  // namespace hookd
