#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/strings/str_split.h>
#include <google/protobuf/util/time_util.h>

#include "base/concat.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/statistics_text.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "hookd/v1/endpoint_service.grpc.pb.h"
#include "hookd/v1/subscriber_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::chrono::seconds kRefreshEvery{2};
constexpr int32_t kRowsShown = 10;     // of one ranking
constexpr int32_t kRowsOfSeveral = 5;  // of each

struct Flags {
  std::string id;
  std::string window = "hour";
};

struct TopFlags {
  std::vector<std::string> by;
  std::string window = "minute";
  std::string subscriber;
  int32_t limit = 0;
  bool once = false;
};

using Ranking = std::pair<v1::TopBy, v1::ListTopEndpointsResponse>;

void AddWindow(CLI::App& command, std::string& window) {
  command.add_option("--window", window, "which the figures are of: the last one")
      ->check(CLI::IsMember(Words<v1::StatisticsWindow>()))
      ->capture_default_str();
}

template <typename Service, typename Request, typename Method>
void ShowStatistics(Session& session, const Flags& flags, Request request, Method method) {
  request.set_id(flags.id);
  request.set_window(FromWord<v1::StatisticsWindow>(flags.window));
  v1::Statistics statistics;
  if (!Ask<Service>(session, method, request, statistics)) return;
  if (session.json) return PrintJson(statistics);
  std::cout << StatisticsText(statistics, TimeUtil::GetCurrentTime());
}

// False: a call failed, and `session` has said so.
bool ReadRankings(Session& session, const TopFlags& flags, std::vector<Ranking>& rankings) {
  rankings.clear();
  const std::vector<std::string> by = flags.by.empty() ? Words<v1::TopBy>() : flags.by;
  v1::ListTopEndpointsRequest request;
  request.set_window(FromWord<v1::StatisticsWindow>(flags.window));
  request.set_subscriber_id(flags.subscriber);
  request.set_limit(flags.limit);
  if (flags.limit == 0) request.set_limit(by.size() == 1 ? kRowsShown : kRowsOfSeveral);
  for (const std::string& word : by) {
    request.set_by(FromWord<v1::TopBy>(word));
    v1::ListTopEndpointsResponse ranking;
    if (!Ask<v1::EndpointService>(session, &v1::EndpointService::Stub::ListTopEndpoints, request, ranking)) {
      return false;
    }
    rankings.emplace_back(request.by(), std::move(ranking));
  }
  return true;
}

// {"attempts": {"endpoints": [...]}, "failures": ...}
void PrintRankingsJson(const std::vector<Ranking>& rankings) {
  std::string json;
  for (const auto& [by, ranking] : rankings) {
    json += Concat(json.empty() ? "{" : ", ", "\"", Word(by), "\": ", JsonText(ranking, true));
  }
  std::cout << json << "}\n";
}

std::string RankingsText(const std::vector<Ranking>& rankings) {
  std::string text;
  for (const auto& [by, ranking] : rankings) {
    text += Concat(text.empty() ? "" : "\n", RankingText(by, ranking, TimeUtil::GetCurrentTime()));
  }
  return text;
}

// The screen anew: what does not fit is cut, so that nothing scrolls.
void Redraw(const Session& session, const TopFlags& flags, const std::vector<Ranking>& rankings) {
  google::protobuf::Timestamp now = TimeUtil::GetCurrentTime();
  now.set_nanos(0);
  const std::string text = Concat(session.server, "  last ", flags.window, "  ", TimeText(now),
                                  "  Ctrl-C ends\n\n", RankingsText(rankings));
  const TerminalSize size = SizeOfTerminal();
  std::string screen = "\x1b[H";
  size_t row = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (++row >= size.rows) break;
    screen += Concat("\x1b[K", std::string(line.substr(0, size.columns)), "\n");
  }
  std::cout << screen << "\x1b[J" << std::flush;
}

void Top(Session& session, const TopFlags& flags) {
  std::vector<Ranking> rankings;
  if (flags.once || session.json || !OutputIsTerminal()) {
    if (!ReadRankings(session, flags, rankings)) return;
    if (session.json) return PrintRankingsJson(rankings);
    std::cout << RankingsText(rankings);
    return;
  }
  std::cout << "\x1b[2J";
  while (std::cout.good()) {
    if (!ReadRankings(session, flags, rankings)) return;
    Redraw(session, flags, rankings);
    std::this_thread::sleep_for(kRefreshEvery);
  }
}

}  // namespace

void AddStatisticsCommand(CLI::App& noun, Session& session, bool of_subscriber) {
  auto flags = std::make_shared<Flags>();
  CLI::App* stats = noun.add_subcommand("stats", "attempts by result, latency and backlog");
  stats->add_option("id", flags->id, of_subscriber ? "the platform's own id" : "ep_...")->required();
  AddWindow(*stats, flags->window);
  stats->callback([&session, flags, of_subscriber] {
    if (of_subscriber) {
      ShowStatistics<v1::SubscriberService>(session, *flags, v1::GetSubscriberStatisticsRequest(),
                                            &v1::SubscriberService::Stub::GetSubscriberStatistics);
    } else {
      ShowStatistics<v1::EndpointService>(session, *flags, v1::GetEndpointStatisticsRequest(),
                                          &v1::EndpointService::Stub::GetEndpointStatistics);
    }
  });
}

void AddTopCommand(CLI::App& endpoints, Session& session) {
  auto flags = std::make_shared<TopFlags>();
  CLI::App* top = endpoints.add_subcommand(
      "top", "the busiest, slowest, most failing and most pending; on a terminal, every 2 s");
  top->add_option("--by", flags->by, "this ranking alone; repeat it")
      ->check(CLI::IsMember(Words<v1::TopBy>()));
  AddWindow(*top, flags->window);
  top->add_option("--subscriber", flags->subscriber, "of this one alone");
  top->add_option("--limit", flags->limit, "of each ranking; else 10, or 5 of several")
      ->check(CLI::Range(1, 100));
  top->add_flag("--once", flags->once, "show them once");
  top->callback([&session, flags] { Top(session, *flags); });
}

}  // namespace hookd::cli
