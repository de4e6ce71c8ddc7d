#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/tool_text.h"
#include "hookd/v1/capture_service.grpc.pb.h"

namespace hookd::cli {
namespace {

using Stub = v1::CaptureService::Stub;

struct Flags {
  std::string id;
  std::string duration;
  int32_t status = 0;
  bool delivers = false;
  int32_t limit = 0;
  uint64_t number = 0;
  uint64_t after = 0;
};

void ShowBin(Session& session, const v1::Bin& bin) {
  if (session.json) return PrintJson(bin);
  PrintFields(BinFields(bin));
}

void CreateBin(Session& session, const Flags& flags) {
  v1::CreateBinRequest request;
  request.set_status(flags.status);
  if (!flags.duration.empty()) {
    const auto lifetime = ParseDuration(flags.duration);
    if (!lifetime) return session.UsageError("--lifetime is such as 1h");
    *request.mutable_lifetime() = *lifetime;
  }
  v1::Bin bin;
  if (Ask<v1::CaptureService>(session, &Stub::CreateBin, request, bin)) ShowBin(session, bin);
}

void GetBin(Session& session, const Flags& flags) {
  v1::Bin bin;
  if (Ask<v1::CaptureService>(session, &Stub::GetBin, ById<v1::GetBinRequest>(flags.id), bin)) {
    ShowBin(session, bin);
  }
}

void DeleteBin(Session& session, const Flags& flags) {
  google::protobuf::Empty nothing;
  Ask<v1::CaptureService>(session, &Stub::DeleteBin, ById<v1::DeleteBinRequest>(flags.id), nothing);
}

void Start(Session& session, const Flags& flags) {
  v1::StartCaptureRequest request;
  request.set_endpoint_id(flags.id);
  request.set_delivers(flags.delivers);
  request.set_status(flags.status);
  if (!flags.duration.empty()) {
    const auto duration = ParseDuration(flags.duration);
    if (!duration) return session.UsageError("--duration is such as 10m");
    *request.mutable_duration() = *duration;
  }
  v1::StartCaptureResponse response;
  if (!Ask<v1::CaptureService>(session, &Stub::StartCapture, request, response)) return;
  if (session.json) return PrintJson(response);
  PrintFields(
      {{"bin", response.bin().id()},
       {"url", response.bin().url()},
       {"until", TimeText(response.end_time())},
       {"meanwhile", flags.delivers ? "what the bin takes counts as delivered"
                                    : "the endpoint is held; its deliveries go to its URL afterwards"}});
}

void Stop(Session& session, const Flags& flags) {
  v1::StopCaptureRequest request;
  request.set_endpoint_id(flags.id);
  v1::StopCaptureResponse response;
  if (!Ask<v1::CaptureService>(session, &Stub::StopCapture, request, response)) return;
  if (session.json) return PrintJson(response);
  PrintFields({{"bin", response.bin_id().empty() ? "no capture was running" : response.bin_id()}});
}

void List(Session& session, const Flags& flags) {
  v1::ListCapturedRequest request = ById<v1::ListCapturedRequest>(flags.id);
  request.set_page_size(flags.limit);
  v1::ListCapturedResponse response;
  if (!Ask<v1::CaptureService>(session, &Stub::ListCaptured, request, response)) return;
  if (session.json) return PrintJson(response);
  std::vector<Row> rows;
  for (const v1::CapturedRequest& one : response.requests()) rows.push_back(CapturedRow(one));
  PrintTable({"NUMBER", "TIME", "METHOD", "TARGET", "TYPE", "WEBHOOK-ID", "BYTES", "ANSWERED"}, rows);
}

void Show(Session& session, const Flags& flags) {
  v1::GetCapturedRequest request = ById<v1::GetCapturedRequest>(flags.id);
  request.set_number(flags.number);
  v1::CapturedRequest captured;
  if (!Ask<v1::CaptureService>(session, &Stub::GetCaptured, request, captured)) return;
  if (session.json) return PrintJson(captured);
  std::printf("%s", CapturedText(captured).c_str());
}

void Tail(Session& session, const Flags& flags, bool from_number) {
  v1::WatchCapturedRequest request;
  request.set_id(flags.id);
  if (from_number) request.set_after_number(flags.after);
  const auto stub = v1::CaptureService::NewStub(session.Connect());
  grpc::ClientContext context;
  const auto stream = stub->WatchCaptured(&context, request);
  v1::CapturedRequest captured;
  while (stream->Read(&captured)) {
    bool shown = true;
    if (session.json) {
      shown = PrintJsonLine(captured);
    } else {
      shown = std::printf("%s\n", CapturedText(captured).c_str()) >= 0 && std::fflush(stdout) == 0;
    }
    if (shown) continue;
    context.TryCancel();
    stream->Finish();
    session.exit_code = kExitFailed;
    return;
  }
  session.Check(stream->Finish());
}

}  // namespace

void AddCaptureCommands(CLI::App& app, Session& session) {
  CLI::App& captures = *app.add_subcommand("captures", "an endpoint's requests, shown in a bin for a while");
  captures.require_subcommand(1);
  CLI::App& bins = *app.add_subcommand("bins", "URLs of hookd's own that keep what is sent to them");
  bins.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto verb = [flags](CLI::App& noun, const char* name, const char* help, const char* id) {
    CLI::App* command = noun.add_subcommand(name, help);
    command->add_option("id", flags->id, id)->required();
    return command;
  };
  constexpr char kEither[] = "bin_..., or an endpoint with a capture";

  CLI::App* start = verb(captures, "start", "put a bin in the place of the endpoint's URL", "ep_...");
  start->add_option("--duration", flags->duration, "1s to 1h; 10m if it is not given");
  start->add_flag("--delivers", flags->delivers,
                  "what the bin takes counts as delivered; without it the endpoint is held meanwhile");
  start->add_option("--status", flags->status, "what the bin answers");
  start->callback([&session, flags] { Start(session, *flags); });
  verb(captures, "stop", "end a capture before its time", "ep_...")->callback([&session, flags] {
    Stop(session, *flags);
  });
  CLI::App* list = verb(captures, "list", "what a bin keeps, newest first", kEither);
  list->add_option("--limit", flags->limit, "at most so many, up to 200")->check(CLI::NonNegativeNumber);
  list->callback([&session, flags] { List(session, *flags); });
  CLI::App* show = verb(captures, "show", "one captured request, whole", kEither);
  show->add_option("number", flags->number, "its number")->required();
  show->callback([&session, flags] { Show(session, *flags); });
  CLI::App* tail = verb(captures, "tail", "what comes from now on, whole, until it is interrupted", kEither);
  CLI::Option* after =
      tail->add_option("--after", flags->after, "what is kept behind this number comes first");
  tail->callback([&session, flags, after] { Tail(session, *flags, after->count() > 0); });

  CLI::App* create = bins.add_subcommand("create", "make a bin without an endpoint");
  create->add_option("--status", flags->status, "what it answers; 200 if it is not given");
  create->add_option("--lifetime", flags->duration, "1m to 24h; 1h if it is not given");
  create->callback([&session, flags] { CreateBin(session, *flags); });
  verb(bins, "get", "show a bin", kEither)->callback([&session, flags] { GetBin(session, *flags); });
  verb(bins, "delete", "delete a bin; ends the capture that fills it", "bin_...")
      ->callback([&session, flags] { DeleteBin(session, *flags); });
}

}  // namespace hookd::cli
