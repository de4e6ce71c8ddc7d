#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <google/protobuf/util/json_util.h>

#include "base/concat.h"
#include "cli/audit_verifier.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/paging.h"
#include "cli/time_range.h"
#include "hookd/v1/audit_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  TimeRange range;
  v1::ListAuditRecordsRequest filter;
  int64_t limit = 100;
  uint64_t number = 0;
  std::string file;
  std::string expect;  // "NUMBER:HASH"
};

// Every record that the request names, page after page. False: a call failed, or `take` ended it.
template <typename Take>
bool EachRecord(Session& session, v1::ListAuditRecordsRequest request, int64_t limit, const Take& take) {
  const auto stub = v1::AuditService::NewStub(session.Connect());
  bool going = true;
  const bool read = ReadPages<v1::ListAuditRecordsRequest, v1::ListAuditRecordsResponse>(
      session, std::move(request), limit,
      [&](grpc::ClientContext* context, const auto& page_request, auto* page) {
        return going ? stub->ListAuditRecords(context, page_request, page) : grpc::Status::OK;
      },
      [&](const v1::ListAuditRecordsResponse& page) {
        for (const v1::AuditRecord& record : page.records()) going = going && take(record);
        return page.records_size();
      });
  return read && going;
}

bool SetRange(Session& session, const Flags& flags, v1::ListAuditRecordsRequest& request) {
  return ReadRange(
      session, flags.range, [&] { return request.mutable_time_from(); },
      [&] { return request.mutable_time_before(); });
}

std::string Resource(const v1::AuditRecord& record) {
  return Concat(record.resource_type(), record.resource_id().empty() ? "" : " ", record.resource_id());
}

void List(Session& session, const Flags& flags) {
  v1::ListAuditRecordsRequest request = flags.filter;
  if (!SetRange(session, flags, request)) return;
  v1::ListAuditRecordsResponse all;
  const bool read = EachRecord(session, request, flags.limit, [&all](const v1::AuditRecord& record) {
    *all.add_records() = record;
    return true;
  });
  if (!read) return;
  if (session.json) return PrintJson(all);
  std::vector<Row> rows;
  for (const v1::AuditRecord& record : all.records()) {
    rows.push_back({std::to_string(record.number()), TimeText(record.time()), OneLine(record.actor(), 24),
                    OneLine(record.call(), 40), OneLine(Resource(record), 48),
                    OneLine(record.subscriber_id(), 24), OneLine(record.reason(), 40)});
  }
  PrintTable({"NUMBER", "TIME", "ACTOR", "CALL", "RESOURCE", "SUBSCRIBER", "REASON"}, rows);
}

void Show(Session& session, const Flags& flags) {
  v1::GetAuditRecordRequest request;
  request.set_number(flags.number);
  v1::AuditRecord record;
  if (!Ask<v1::AuditService>(session, &v1::AuditService::Stub::GetAuditRecord, request, record)) return;
  if (session.json) return PrintJson(record);
  std::string secrets;
  for (const std::string& field : record.secrets_changed()) secrets += (secrets.empty() ? "" : ", ") + field;
  PrintFields({{"number", std::to_string(record.number())},
               {"time", TimeText(record.time())},
               {"actor", record.actor()},
               {"role", record.actor_role()},
               {"name", Printable(record.actor_name())},
               {"peer", record.peer()},
               {"call", record.call()},
               {"resource", Printable(Resource(record))},
               {"subscriber", Printable(record.subscriber_id())},
               {"reason", Printable(record.reason())},
               {"before", Printable(record.before())},
               {"after", Printable(record.after())},
               {"secrets changed", Printable(secrets)},
               {"hash", record.hash()}});
}

void Export(Session& session, const Flags& flags) {
  v1::ListAuditRecordsRequest request;
  request.set_oldest_first(true);
  if (!SetRange(session, flags, request)) return;
  bool lost = false;
  EachRecord(session, request, 0, [&lost](const v1::AuditRecord& record) {
    lost = !PrintJsonLine(record);
    return !lost;
  });
  if (lost) session.exit_code = kExitFailed;
}

// Gives the records to `take` until it says no. False: they could not be read; `session` has said so.
template <typename Take>
bool EachLine(Session& session, const std::string& path, const Take& take) {
  std::ifstream file(path);
  if (!file) {
    session.UsageError(Concat("--file: ", path, " cannot be read"));
    return false;
  }
  uint64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    v1::AuditRecord record;
    if (!google::protobuf::util::JsonStringToMessage(line, &record).ok()) {
      session.UsageError(Concat("--file: line ", number, " is no record of hookctl audit export"));
      return false;
    }
    if (!take(record)) break;
  }
  return true;
}

void Verify(Session& session, const Flags& flags) {
  AuditVerifier verifier;
  std::optional<std::string> wrong;
  bool met = flags.expect.empty();
  const auto take = [&](const v1::AuditRecord& record) {
    wrong = verifier.Take(record);
    met = met || flags.expect == Concat(record.number(), ":", record.hash());
    return !wrong.has_value();
  };
  if (flags.file.empty()) {
    v1::ListAuditRecordsRequest request;
    request.set_oldest_first(true);
    if (!EachRecord(session, request, 0, take) && !wrong) return;
  } else if (!EachLine(session, flags.file, take)) {
    return;
  }
  if (!wrong && !met) wrong = Concat("there is no record ", flags.expect);
  if (wrong) {
    std::cerr << "hookctl: " << *wrong << "\n";
    session.exit_code = kExitDiffers;
    return;
  }
  if (session.json) {
    std::cout << "{\"records\":" << verifier.taken() << ",\"newest\":\"" << verifier.number() << ":"
              << verifier.hash() << "\"}\n";
    return;
  }
  PrintFields({{"records", Grouped(verifier.taken())},
               {"newest", verifier.taken() == 0 ? "" : Concat(verifier.number(), ":", verifier.hash())}});
}

}  // namespace

void AddAuditCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("audit", "who changed what");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* list = noun.add_subcommand("list", "show records, the newest first");
  AddFrom(*list, flags->range, "made");
  AddBefore(*list, flags->range, "made");
  list->add_option("--actor", *flags->filter.mutable_actor(), "tok_..., local, or hookd");
  list->add_option("--subscriber", *flags->filter.mutable_subscriber_id(), "whose the resource is");
  list->add_option("--resource", *flags->filter.mutable_resource_id(), "its id");
  list->add_option("--call", *flags->filter.mutable_call(), "such as PauseEndpoint");
  list->add_flag_callback(
      "--oldest-first", [flags] { flags->filter.set_oldest_first(true); }, "the other way round");
  list->add_option("--limit", flags->limit, "at most so many; 0 = all")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });

  CLI::App* show = noun.add_subcommand("show", "show a record with its before and after");
  show->add_option("number", flags->number, "of the record")->required();
  show->callback([&session, flags] { Show(session, *flags); });

  CLI::App* exported = noun.add_subcommand("export", "every record as a line of JSON, the oldest first");
  AddFrom(*exported, flags->range, "made");
  AddBefore(*exported, flags->range, "made");
  exported->callback([&session, flags] { Export(session, *flags); });

  CLI::App* verify = noun.add_subcommand("verify", "check that no record was changed or taken out");
  verify->add_option("--file", flags->file, "of hookctl audit export, instead of the server's");
  verify->add_option("--expect", flags->expect,
                     "NUMBER:HASH that an earlier run said, and that has to be there");
  verify->callback([&session, flags] { Verify(session, *flags); });
}

}  // namespace hookd::cli
