#include "dispatcher/api/message_gets.h"

#include <map>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/status_macros.h"
#include "dispatcher/api/newest_events.h"
#include "dispatcher/core/profiles.h"
#include "dispatcher/engine/engine.h"

namespace hookd {
namespace {

namespace json = boost::json;

constexpr std::string_view kLast = "/api2/msg_get_last/";
constexpr std::string_view kOfChat = "/api2/msg_get/";

json::string Json(std::string_view text) { return json::string(text.data(), text.size()); }

struct Call {
  bool of_chat = false;
  std::string key;
  std::map<std::string, std::string, std::less<>> query;
};

// Escapes are not undone: keys, numbers and flags have none.
Call Parse(std::string_view target) {
  Call call;
  call.of_chat = target.starts_with(kOfChat);
  const size_t query = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(0, query);
  path.remove_prefix(call.of_chat ? kOfChat.size() : kLast.size());
  if (path.ends_with('/')) path.remove_suffix(1);
  call.key = std::string(path);
  for (size_t at = query + 1; at < target.size();) {
    const std::string_view pair = target.substr(at, target.find('&', at) - at);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos)
      call.query[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
    at += pair.size() + 1;
  }
  return call;
}

absl::StatusOr<NewestQuery> MakeQuery(const Call& call, const ProfileMessageGets& gets) {
  NewestQuery query;
  if (const auto count = call.query.find("col"); count != call.query.end()) {
    size_t number = 0;
    if (!absl::SimpleAtoi(count->second, &number) || number < 1 || number > kMaxNewestEvents) {
      return absl::InvalidArgumentError(absl::StrCat("col: is 1 to ", kMaxNewestEvents));
    }
    query.limit = number;
  }
  query.event_type = gets.all;
  if (const auto from_me = call.query.find("from_me"); from_me != call.query.end()) {
    if (from_me->second != "0" && from_me->second != "1")
      return absl::InvalidArgumentError("from_me: is 0 or 1");
    query.event_type = from_me->second == "0" ? gets.incoming : gets.outgoing;
  }
  if (call.of_chat) {
    const auto phone = call.query.find("phone");
    if (phone == call.query.end() || phone->second.empty()) {
      return absl::InvalidArgumentError("phone: is missing");
    }
    query.ordering_key = phone->second;
  }
  return query;
}

absl::StatusOr<RestAnswer> Carry(Engine& engine, const RestRequest& request) {
  if (request.method != "GET") return absl::UnimplementedError("use GET");
  const Call call = Parse(request.target);
  const absl::Status unknown = absl::UnauthenticatedError("the key is not valid");
  const absl::StatusOr<AccessToken> token = engine.Authenticate(call.key);
  if (absl::IsUnauthenticated(token.status())) return unknown;
  RETURN_IF_ERROR(token.status());
  if (token->role != TokenRole::kSubscriber || token->subscriber_ids.size() != 1) return unknown;
  const absl::StatusOr<SubscriberView> view = engine.GetSubscriber(token->subscriber_ids.front());
  if (absl::IsNotFound(view.status())) return unknown;
  RETURN_IF_ERROR(view.status());
  const LoadedProfile* profile = engine.profiles().Find(view->subscriber.profile);
  if (profile == nullptr || !(*profile)->message_gets) return unknown;
  const ProfileMessageGets& gets = *(*profile)->message_gets;
  ASSIGN_OR_RETURN(NewestQuery query, MakeQuery(call, gets));
  query.subscriber_id = view->subscriber.id;
  ASSIGN_OR_RETURN(const NewestPage newest, ReadNewest(engine, query));
  json::array messages;
  for (const std::shared_ptr<const Event>& event : newest.events) {
    boost::system::error_code error;
    json::value payload = json::parse(event->payload, error);
    if (error || !payload.is_object()) continue;
    if (const json::value* message = payload.get_object().if_contains(gets.member))
      messages.push_back(*message);
  }
  json::object document;
  document.emplace("err", 0);
  document.emplace("msg_data", std::move(messages));
  return RestAnswer{200, json::serialize(document)};
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

RestAnswer GetMessages(Engine& engine, const RestRequest& request) {
  const absl::StatusOr<RestAnswer> answer = Carry(engine, request);
  if (answer.ok()) return *answer;
  const std::string_view message(answer.status().message().data(), answer.status().message().size());
  switch (answer.status().code()) {
    case absl::StatusCode::kInvalidArgument:
      return MessageGetFailed(400, message);
    case absl::StatusCode::kUnauthenticated:
      return MessageGetFailed(401, message);
    case absl::StatusCode::kUnimplemented:
      return MessageGetFailed(405, message);
    default:
      return MessageGetFailed(500, message);
  }
}

}  // namespace hookd
