#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/strings/str_join.h>

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
  std::string channel;
  std::optional<std::string> name;
  std::optional<std::string> profile;
  std::optional<std::string> plan;
  std::optional<std::string> strict;
  std::vector<std::string> alert_addresses;
  bool no_alert_addresses = false;
  int64_t limit = 100;
  bool yes = false;
};

void Show(const Session& session, const v1::Subscriber& subscriber) {
  if (session.json) return PrintJson(subscriber);
  PrintFields({{"id", subscriber.id()},
               {"name", subscriber.name()},
               {"paused", YesNo(subscriber.paused())},
               {"profile", subscriber.profile()},
               {"plan", subscriber.plan()},
               {"strict", YesNo(subscriber.strict())},
               {"alert addresses", absl::StrJoin(subscriber.alert_addresses(), " ")},
               {"held channels", absl::StrJoin(subscriber.held_channels(), " ")},
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
                    subscriber.profile(), subscriber.plan(), std::to_string(subscriber.endpoint_count()),
                    TimeText(subscriber.create_time())});
  }
  PrintTable({"ID", "NAME", "PAUSED", "PROFILE", "PLAN", "ENDPOINTS", "CREATED"}, rows);
}

void Delete(Session& session, const Flags& flags) {
  if (!Confirm(session, flags.yes, "delete subscriber " + flags.id)) return;
  google::protobuf::Empty nothing;
  Ask<v1::SubscriberService>(session, &v1::SubscriberService::Stub::DeleteSubscriber,
                             ById<v1::DeleteSubscriberRequest>(flags.id), nothing);
}

void AddOptions(CLI::App& command, Flags& flags) {
  command.add_option("--name", flags.name, "for people");
  command.add_option("--delivery-profile", flags.profile,
                     "its catalogue, and what its endpoints are made from; \"\" = none");
  command.add_option("--plan", flags.plan,
                     "the platform's word; gates event types where the profile says so");
  command.add_option("--strict", flags.strict, "refuse events that the catalogue does not have: yes or no")
      ->check(CLI::IsMember({"yes", "no"}));
  CLI::Option* addresses =
      command.add_option("--alert-address", flags.alert_addresses, "a mail address for alerts; repeat it");
  command.add_flag("--no-alert-addresses", flags.no_alert_addresses, "there is none")->excludes(addresses);
}

// The update mask's paths for the options that were given.
std::vector<std::string> Fill(const Flags& flags, v1::Subscriber& subscriber) {
  std::vector<std::string> paths;
  subscriber.set_id(flags.id);
  const auto text = [&](const std::optional<std::string>& value, const char* path,
                        void (v1::Subscriber::*set)(const std::string&)) {
    if (!value) return;
    (subscriber.*set)(*value);
    paths.emplace_back(path);
  };
  text(flags.name, "name", &v1::Subscriber::set_name<const std::string&>);
  text(flags.profile, "profile", &v1::Subscriber::set_profile<const std::string&>);
  text(flags.plan, "plan", &v1::Subscriber::set_plan<const std::string&>);
  if (flags.strict) {
    subscriber.set_strict(*flags.strict == "yes");
    paths.emplace_back("strict");
  }
  for (const std::string& address : flags.alert_addresses) subscriber.add_alert_addresses(address);
  if (!flags.alert_addresses.empty() || flags.no_alert_addresses) paths.emplace_back("alert_addresses");
  return paths;
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
  AddOptions(*create, *flags);
  create->callback([&session, flags] {
    v1::CreateSubscriberRequest request;
    Fill(*flags, *request.mutable_subscriber());
    Call(session, request, &v1::SubscriberService::Stub::CreateSubscriber);
  });

  verb("get", "show a subscriber")->callback([&session, flags] {
    Call(session, ById<v1::GetSubscriberRequest>(flags->id), &v1::SubscriberService::Stub::GetSubscriber);
  });

  CLI::App* list = verb("list", "show subscribers", false);
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* update = verb("update", "change what the options give");
  AddOptions(*update, *flags);
  update->callback([&session, flags] {
    v1::UpdateSubscriberRequest request;
    for (const std::string& path : Fill(*flags, *request.mutable_subscriber())) {
      request.mutable_update_mask()->add_paths(path);
    }
    if (request.update_mask().paths().empty()) return session.UsageError("nothing to change: give an option");
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
  const auto channel = [&session, &verb, flags](const char* name, const char* help, auto request,
                                                auto method) {
    CLI::App* command = verb(name, help);
    command->add_option("channel", flags->channel, "as events name it")->required();
    command->callback([&session, flags, method] {
      decltype(request) filled;
      filled.set_subscriber_id(flags->id);
      filled.set_channel(flags->channel);
      Call(session, filled, method);
    });
  };
  channel("hold", "a channel's connection is down: start no attempt for endpoints of it alone; events queue",
          v1::HoldChannelRequest(), &v1::SubscriberService::Stub::HoldChannel);
  channel("release", "the channel's connection is up again", v1::ReleaseChannelRequest(),
          &v1::SubscriberService::Stub::ReleaseChannel);
  AddStatisticsCommand(noun, session, true);
}

}  // namespace hookd::cli
