#include <memory>
#include <string>

#include <google/protobuf/util/time_util.h>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/file_publisher.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/progress.h"
#include "hookd/v1/event_service.grpc.pb.h"

namespace hookd::cli {
namespace {

struct Flags {
  v1::NewEvent event;
  std::string payload_file;
  std::string file;
  std::string retry_for = "30s";
  bool progress = false;
  std::string not_before;
  std::string expires;
};

// Empty = nothing is wrong.
std::string FillTimes(const Flags& flags, v1::NewEvent& event) {
  const auto now = google::protobuf::util::TimeUtil::GetCurrentTime();
  if (!flags.not_before.empty()) {
    const auto time = ParseTime(flags.not_before, now);
    if (!time) return "--not-before is such as 2030-01-31T12:00:00Z, or 15m from now";
    *event.mutable_not_before_time() = *time;
  }
  if (!flags.expires.empty()) {
    const auto time = ParseTime(flags.expires, now);
    if (!time) return "--expires is such as 2030-01-31T12:00:00Z, or 15m from now";
    *event.mutable_expire_time() = *time;
  }
  return "";
}

void PublishOne(Session& session, Flags& flags) {
  if (!flags.payload_file.empty()) {
    absl::StatusOr<std::string> payload = ReadFile(flags.payload_file);
    if (!payload.ok()) return session.UsageError(std::string(payload.status().message()));
    flags.event.set_payload(*std::move(payload));
  }
  if (const std::string wrong = FillTimes(flags, flags.event); !wrong.empty()) {
    return session.UsageError(wrong);
  }
  v1::PublishEventRequest request;
  *request.mutable_event() = flags.event;
  v1::PublishEventResponse response;
  if (!Ask<v1::EventService>(session, &v1::EventService::Stub::PublishEvent, request, response)) return;
  if (session.json) return PrintJson(response);
  PrintFields({{"event", response.event_id()},
               {"deliveries", std::to_string(response.deliveries())},
               {"duplicate", YesNo(response.duplicate())},
               {"not fanned out", response.not_fanned_out()}});
}

void Publish(Session& session, Flags& flags) {
  if (!flags.file.empty()) return PublishFile(session, flags.file, flags.retry_for, flags.progress);
  if (flags.event.subscriber_id().empty() || flags.event.type().empty()) {
    return session.UsageError("give --subscriber and --type, or --file");
  }
  if (flags.event.payload().empty() && flags.payload_file.empty()) {
    return session.UsageError("give --payload or --payload-file");
  }
  PublishOne(session, flags);
}

}  // namespace

void AddEventCommands(CLI::App& app, Session& session) {
  CLI::App& noun = *app.add_subcommand("events", "what happened on the platform");
  noun.require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* publish = noun.add_subcommand("publish", "hand over one event, or a file of them");
  const auto text = [publish, flags](const char* name, std::string* (v1::NewEvent::*field)(),
                                     const char* help) {
    return publish->add_option(name, *(flags->event.*field)(), help);
  };
  CLI::Option* file = publish->add_option(
      "--file", flags->file,
      "lines of JSON, - = standard input: subscriber_id, type, payload, and the other fields of NewEvent");
  publish->add_option("--retry-for", flags->retry_for,
                      "with --file: how long to try again without an answer, at most a year; only events "
                      "with an idempotency_key "
                      "are sent again");
  AddProgress(*publish, flags->progress);
  text("--subscriber", &v1::NewEvent::mutable_subscriber_id, "whose event it is")->excludes(file);
  text("--type", &v1::NewEvent::mutable_type, "such as message:in:new")->excludes(file);
  text("--channel", &v1::NewEvent::mutable_channel, "the number or device it belongs to")->excludes(file);
  text("--ordering-key", &v1::NewEvent::mutable_ordering_key, "such as the chat")->excludes(file);
  text("--coalesce-key", &v1::NewEvent::mutable_coalesce_key,
       "what it tells about; a newer one with it makes this one superfluous, where the endpoint says so")
      ->excludes(file);
  text("--idempotency-key", &v1::NewEvent::mutable_idempotency_key, "the platform's own id of it")
      ->excludes(file);
  publish
      ->add_option("--not-before", flags->not_before, "no attempt starts earlier: RFC 3339, or 15m from now")
      ->excludes(file);
  publish
      ->add_option("--expires", flags->expires,
                   "what is not delivered by then expires: RFC 3339, or 15m from now")
      ->excludes(file);
  text("--traceparent", &v1::NewEvent::mutable_traceparent, "W3C trace context")->excludes(file);
  CLI::Option* payload =
      text("--payload", &v1::NewEvent::mutable_payload, "JSON text, sent byte for byte")->excludes(file);
  publish->add_option("--payload-file", flags->payload_file, "a file that holds it; - = standard input")
      ->excludes(file)
      ->excludes(payload);
  publish->callback([&session, flags] { Publish(session, *flags); });
  AddEventReads(noun, session);
}

}  // namespace hookd::cli
