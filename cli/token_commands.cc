#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/util/time_util.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "cli/parse.h"
#include "cli/words.h"
#include "hookd/v1/token_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  std::string id;
  std::string role = "subscriber";
  std::vector<std::string> subscribers;
  std::string description;
  std::string expires;
  bool revoke_older = false;
  uint32_t bytes_per_second = 0;
  uint32_t max_payload_bytes = 0;
  std::string subscriber;
  int64_t limit = 100;
  bool yes = false;
};

std::string Subscribers(const v1::Token& token) {
  std::string text;
  for (const std::string& id : token.subscriber_ids()) text += (text.empty() ? "" : ", ") + id;
  return text;
}

std::string Limit(uint32_t bytes) { return bytes == 0 ? std::string() : Grouped(bytes); }

void Create(Session& session, const Flags& flags) {
  if (flags.revoke_older && !Confirm(session, flags.yes, "revoke the subscriber's older tokens")) return;
  v1::CreateTokenRequest request;
  v1::Token& token = *request.mutable_token();
  token.set_role(FromWord<v1::TokenRole>(flags.role));
  for (const std::string& id : flags.subscribers) token.add_subscriber_ids(id);
  token.set_description(flags.description);
  token.set_bytes_per_second(flags.bytes_per_second);
  token.set_max_payload_bytes(flags.max_payload_bytes);
  request.set_revoke_older(flags.revoke_older);
  if (!flags.expires.empty()) {
    const auto time = ParseTime(flags.expires, google::protobuf::util::TimeUtil::GetCurrentTime());
    if (!time) return session.UsageError("--expires: is RFC 3339, or a while from now such as 24h");
    *token.mutable_expire_time() = *time;
  }
  v1::CreateTokenResponse made;
  if (!Ask<v1::TokenService>(session, &v1::TokenService::Stub::CreateToken, request, made)) return;
  if (session.json) return PrintJson(made);
  PrintFields({{"id", made.token().id()},
               {"role", Word(made.token().role())},
               {"subscribers", Subscribers(made.token())},
               {"description", made.token().description()},
               {"expires", TimeText(made.token().expire_time())},
               {"bytes per second", Limit(made.token().bytes_per_second())},
               {"largest payload", Limit(made.token().max_payload_bytes())},
               {"token (shown once)", made.text()}});
}

void List(Session& session, const Flags& flags) {
  const auto stub = v1::TokenService::NewStub(session.Connect());
  v1::ListTokensRequest request;
  request.set_subscriber_id(flags.subscriber);
  v1::ListTokensResponse all;
  const bool read = ReadPages<v1::ListTokensRequest, v1::ListTokensResponse>(
      session, request, flags.limit,
      [&stub](grpc::ClientContext* context, const auto& page_request, auto* page) {
        return stub->ListTokens(context, page_request, page);
      },
      [&all](const v1::ListTokensResponse& page) {
        all.mutable_tokens()->MergeFrom(page.tokens());
        return page.tokens_size();
      });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<Row> rows;
  for (const v1::Token& token : all.tokens()) {
    rows.push_back({token.id(), Word(token.role()), OneLine(Subscribers(token), 40),
                    OneLine(token.description(), 40), TimeText(token.create_time()),
                    TimeText(token.expire_time())});
  }
  PrintTable({"ID", "ROLE", "SUBSCRIBERS", "DESCRIPTION", "CREATED", "EXPIRES"}, rows);
}

void Revoke(Session& session, const Flags& flags) {
  if (!Confirm(session, flags.yes, "revoke token " + flags.id)) return;
  google::protobuf::Empty nothing;
  Ask<v1::TokenService>(session, &v1::TokenService::Stub::RevokeToken, ById<v1::RevokeTokenRequest>(flags.id),
                        nothing);
}

}  // namespace

void AddTokenCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("tokens", "API keys: who a caller is");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* create = noun.add_subcommand("create", "make a token; its text is shown this once");
  create->add_option("--role", flags->role, "what its holder may do")
      ->check(CLI::IsMember(Words<v1::TokenRole>()))
      ->capture_default_str();
  create->add_option("--subscriber", flags->subscribers,
                     "of role subscriber: whose affairs; may be repeated");
  create->add_option("--description", flags->description, "for people");
  create->add_option("--expires", flags->expires,
                     "not valid from then on: RFC 3339, or a while from now such as 24h");
  create->add_option("--bytes-per-second", flags->bytes_per_second,
                     "payload bytes that it may publish; 0 = as hookd is configured");
  create->add_option("--max-payload", flags->max_payload_bytes,
                     "bytes of one event's payload; 0 = as hookd is configured");
  create->add_flag("--revoke-older", flags->revoke_older, "the subscribers' older tokens end at once");
  AddYes(*create, flags->yes);
  create->callback([&session, flags] { Create(session, *flags); });

  CLI::App* list = noun.add_subcommand("list", "show tokens, without their texts");
  list->add_option("--subscriber", flags->subscriber, "only those bound to it");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* revoke = noun.add_subcommand("revoke", "end a token at once");
  revoke->add_option("id", flags->id, "tok_...")->required();
  AddYes(*revoke, flags->yes);
  revoke->callback([&session, flags] { Revoke(session, *flags); });
}

}  // namespace hookd::cli
