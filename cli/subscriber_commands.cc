#include <memory>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  std::string id;
  std::string name;
  int64_t limit = 100;
  bool yes = false;
};

void Show(const Session& session, const v1::Subscriber& subscriber) {
  if (session.json) return PrintJson(subscriber);
  PrintFields({{"id", subscriber.id()},
               {"name", subscriber.name()},
               {"paused", YesNo(subscriber.paused())},
               {"endpoints", std::to_string(subscriber.endpoint_count())},
               {"created", TimeText(subscriber.create_time())},
               {"updated", TimeText(subscriber.update_time())}});
}

// One call that answers with the subscriber.
template <typename Request, typename Method>
void Call(Session& session, const Request& request, Method method) {
  v1::Subscriber subscriber;
  if (Ask<v1::SubscriberService>(session, method, request, subscriber)) Show(session, subscriber);
}

void List(Session& session, const Flags& flags) {
  const auto stub = v1::SubscriberService::NewStub(session.Connect());
  v1::ListSubscribersResponse all;
  const bool read = ReadPages<v1::ListSubscribersRequest, v1::ListSubscribersResponse>(
      session, {}, flags.limit,
      [&stub](grpc::ClientContext* context, const auto& request, auto* page) {
        return stub->ListSubscribers(context, request, page);
      },
      [&all](const v1::ListSubscribersResponse& page) {
        all.mutable_subscribers()->MergeFrom(page.subscribers());
        return page.subscribers_size();
      });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<Row> rows;
  for (const v1::Subscriber& subscriber : all.subscribers()) {
    rows.push_back({subscriber.id(), OneLine(subscriber.name(), 40), YesNo(subscriber.paused()),
                    std::to_string(subscriber.endpoint_count()), TimeText(subscriber.create_time())});
  }
  PrintTable({"ID", "NAME", "PAUSED", "ENDPOINTS", "CREATED"}, rows);
}

void Delete(Session& session, const Flags& flags) {
  if (!Confirm(session, flags.yes, "delete subscriber " + flags.id)) return;
  google::protobuf::Empty nothing;
  Ask<v1::SubscriberService>(session, &v1::SubscriberService::Stub::DeleteSubscriber,
                             ById<v1::DeleteSubscriberRequest>(flags.id), nothing);
}

}  // namespace

void AddSubscriberCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("subscribers", "customers of the platform");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto verb = [&noun, flags](const char* name, const char* help, bool takes_id = true) {
    CLI::App* command = noun.add_subcommand(name, help);
    if (takes_id) command->add_option("id", flags->id, "the platform's own id")->required();
    return command;
  };

  CLI::App* create = verb("create", "make a subscriber");
  create->add_option("--name", flags->name, "for people");
  create->callback([&session, flags] {
    v1::CreateSubscriberRequest request;
    request.mutable_subscriber()->set_id(flags->id);
    request.mutable_subscriber()->set_name(flags->name);
    Call(session, request, &v1::SubscriberService::Stub::CreateSubscriber);
  });

  verb("get", "show a subscriber")->callback([&session, flags] {
    Call(session, ById<v1::GetSubscriberRequest>(flags->id), &v1::SubscriberService::Stub::GetSubscriber);
  });

  CLI::App* list = verb("list", "show subscribers", false);
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* update = verb("update", "change a subscriber's name");
  update->add_option("--name", flags->name, "for people")->required();
  update->callback([&session, flags] {
    v1::UpdateSubscriberRequest request;
    request.mutable_subscriber()->set_id(flags->id);
    request.mutable_subscriber()->set_name(flags->name);
    request.mutable_update_mask()->add_paths("name");
    Call(session, request, &v1::SubscriberService::Stub::UpdateSubscriber);
  });

  CLI::App* remove = verb("delete", "delete a subscriber that has no endpoints");
  AddYes(*remove, flags->yes);
  remove->callback([&session, flags] { Delete(session, *flags); });
  verb("pause", "start no attempt for any of its endpoints; events queue")->callback([&session, flags] {
    Call(session, ById<v1::PauseSubscriberRequest>(flags->id), &v1::SubscriberService::Stub::PauseSubscriber);
  });
  verb("resume", "let its endpoints deliver again")->callback([&session, flags] {
    Call(session, ById<v1::ResumeSubscriberRequest>(flags->id),
         &v1::SubscriberService::Stub::ResumeSubscriber);
  });
  AddStatisticsCommand(noun, session, true);
}

}  // namespace hookd::cli
