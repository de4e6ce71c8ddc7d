#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_join.h>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/event_text.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/time_range.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd::cli {
namespace {

constexpr size_t kShownPayloadBytes = 80;
// The server waits for as long at most.
constexpr int64_t kMaxWaitSeconds = 30;

struct Flags {
  std::string id;
  bool payload = false;
  v1::PollEventsRequest request;
  std::string since;
  std::string wait;
  bool follow = false;
};

void Get(Session& session, const Flags& flags) {
  v1::Event event;
  if (!Ask<v1::EventService>(session, &v1::EventService::Stub::GetEvent, ById<v1::GetEventRequest>(flags.id),
                             event)) {
    return;
  }
  if (flags.payload) {
    std::cout << event.payload();
  } else if (session.json) {
    std::cout << EventJson(event) << "\n";
  } else {
    std::cout << EventText(event);
  }
}

// {"events": [...], "cursor": "..."}
void PrintPageJson(const v1::PollEventsResponse& page) {
  v1::PollEventsResponse rest;
  rest.set_cursor(page.cursor());
  const std::string events = absl::StrJoin(
      page.events(), ",\n", [](std::string* out, const v1::Event& event) { out->append(EventJson(event)); });
  const std::string json = JsonText(rest, true);
  const std::string empty = "\"events\":[]";
  const size_t at = json.find(empty);
  std::cout << json.substr(0, at) << "\"events\":[" << events << "]" << json.substr(at + empty.size())
            << "\n";
}

void PrintPage(const v1::PollEventsResponse& page) {
  std::vector<Row> rows;
  for (const v1::Event& event : page.events()) {
    rows.push_back({event.id(), event.type(), event.subscriber_id(), event.channel(),
                    TimeText(event.accept_time()), OneLine(event.payload(), kShownPayloadBytes)});
  }
  PrintTable({"ID", "TYPE", "SUBSCRIBER", "CHANNEL", "ACCEPTED", "PAYLOAD"}, rows);
  std::cout << "\n";
  PrintFields({{"cursor", page.cursor()}});
}

// A stream: events as they come, and with json, after each page the cursor behind it.
bool PrintNews(const Session& session, const v1::PollEventsResponse& page) {
  for (const v1::Event& event : page.events()) {
    if (session.json) {
      std::cout << EventJson(event) << "\n";
    } else {
      std::cout << Printable(
                       Concat(TimeText(event.accept_time()), "  ", event.id(), "  ", event.type(), "  "))
                << OneLine(event.payload(), kShownPayloadBytes) << "\n";
    }
  }
  if (session.json && !page.events().empty()) {
    v1::PollEventsResponse end;
    end.set_cursor(page.cursor());
    std::cout << JsonText(end, true) << "\n";
  }
  std::cout << std::flush;
  return std::cout.good();
}

void Poll(Session& session, const Flags& flags) {
  v1::PollEventsRequest request = flags.request;
  if (request.endpoint_id().empty() == request.subscriber_id().empty()) {
    return session.UsageError("give --endpoint or --subscriber");
  }
  if (!flags.since.empty() && !ReadPast(session, "--since", flags.since, *request.mutable_since())) return;
  if (flags.follow) request.mutable_wait()->set_seconds(kMaxWaitSeconds);
  if (!flags.wait.empty()) {
    const auto wait = ParseDuration(flags.wait);
    if (!wait || wait->seconds() > kMaxWaitSeconds)
      return session.UsageError("--wait is such as 30s, at most that");
    *request.mutable_wait() = *wait;
  }
  const auto stub = v1::EventService::NewStub(session.Connect());
  do {
    grpc::ClientContext context;
    session.Prepare(context, request.wait().seconds());
    v1::PollEventsResponse page;
    if (!session.Check(stub->PollEvents(&context, request, &page))) {
      if (flags.follow && !request.cursor().empty()) {
        std::cerr << "hookctl: go on with --cursor " << Printable(request.cursor()) << "\n";
      }
      return;
    }
    if (!flags.follow) return session.json ? PrintPageJson(page) : PrintPage(page);
    if (!PrintNews(session, page)) return;
    request.set_cursor(page.cursor());
  } while (true);
}

}  // namespace

void AddEventReads(CLI::App& events, Session& session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* get = events.add_subcommand("get", "show an event, and the deliveries made for it");
  get->add_option("id", flags->id, "evt_...")->required();
  get->add_flag("--payload", flags->payload, "nothing but the payload, byte for byte");
  get->callback([&session, flags] { Get(session, *flags); });

  CLI::App* poll = events.add_subcommand("poll", "what an endpoint or a subscriber was to get");
  poll->add_option("--endpoint", *flags->request.mutable_endpoint_id(), "ep_...");
  poll->add_option("--subscriber", *flags->request.mutable_subscriber_id(), "the platform's own id");
  CLI::Option* cursor =
      poll->add_option("--cursor", *flags->request.mutable_cursor(), "of the answer before");
  poll->add_option("--since,--from", flags->since, "accepted then or later: RFC 3339, or 2h ago as 2h")
      ->excludes(cursor);
  poll->add_option("--key", *flags->request.mutable_ordering_key(),
                   "only with this ordering key, such as a chat's");
  poll->add_option_function<int32_t>(
      "--newest", [flags](int32_t count) { flags->request.set_newest(count); },
      "so many of the newest, the newest first: 1 to 100");
  poll->add_option("--type", *flags->request.mutable_event_type(), "or a prefix as \"message:*\"");
  poll->add_option_function<int32_t>(
          "--limit", [flags](int32_t limit) { flags->request.set_page_size(limit); }, "of one page; else 100")
      ->check(CLI::Range(1, 1000));
  poll->add_option("--wait", flags->wait, "for events while there are none, such as 30s");
  poll->add_flag("--follow", flags->follow, "page after page, until Ctrl-C");
  poll->callback([&session, flags] { Poll(session, *flags); });
}

}  // namespace hookd::cli
