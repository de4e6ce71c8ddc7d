#include "dispatcher/api/capture_service.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "dispatcher/api/audit_forms.h"
#include "dispatcher/api/capture_watch.h"
#include "dispatcher/api/grpc_status.h"
#include "dispatcher/api/time_convert.h"

namespace hookd {
namespace {

constexpr Millis kDefaultCapture{600'000};
constexpr size_t kDefaultCapturedPage = 100;

absl::StatusOr<EndpointId> ParseEndpoint(const std::string& text) {
  absl::StatusOr<EndpointId> id = EndpointId::Parse(text);
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("endpoint_id: ", id.status().message()));
  return id;
}

// 0 = as it is by default.
absl::Status CheckStatus(int status) {
  if (status == 0 || (status >= 200 && status <= 599)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("status: is ", status, ", use 200 to 599"));
}

absl::StatusOr<Millis> Within(bool given, const google::protobuf::Duration& duration, absl::string_view field,
                              Millis least, Millis most, Millis otherwise) {
  if (!given) return otherwise;
  ASSIGN_OR_RETURN(const Millis value, FromDuration(duration, field));
  if (value < least || value > most) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": is ", value.count(), " ms, use ",
                                                   least.count() / 1000, " s to ", most.count() / 60'000,
                                                   " min"));
  }
  return value;
}

}  // namespace

v1::CapturedRequest ToProto(const CapturedRequest& request, bool whole) {
  // Bytes of anybody's; a proto3 string holds UTF-8 alone.
  const auto printable = [](std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return (c < 0x20 && c != '\t') || c > 0x7e; }, '?');
    return text;
  };
  v1::CapturedRequest proto;
  proto.set_number(request.number);
  *proto.mutable_time() = ToTimestamp(request.time_ms);
  proto.set_method(printable(request.method));
  proto.set_target(printable(request.target));
  proto.set_remote_address(request.remote_address);
  for (const Header& header : request.headers) {
    v1::HeaderField& field = *proto.add_headers();
    field.set_name(printable(header.name));
    field.set_value(printable(header.value));
    field.set_masked(header.secret);
  }
  if (whole) proto.set_body(request.body);
  proto.set_body_bytes(request.body_bytes);
  proto.set_status(request.status);
  return proto;
}

v1::Bin CaptureService::Show(const BinView& view) const {
  v1::Bin proto;
  proto.set_id(view.id);
  proto.set_url(tools_.PublicUrlOf(view.id));
  proto.set_status(view.status);
  *proto.mutable_create_time() = ToTimestamp(view.created_ms);
  *proto.mutable_expire_time() = ToTimestamp(view.expires_ms);
  proto.set_requests(static_cast<uint32_t>(view.requests));
  proto.set_bytes(view.bytes);
  proto.set_dropped(view.dropped);
  if (view.endpoint.value != 0) proto.set_endpoint_id(view.endpoint.ToString());
  return proto;
}

absl::StatusOr<std::string> CaptureService::BinOf(const std::string& id) {
  if (!absl::StartsWith(id, "ep_")) return id;
  ASSIGN_OR_RETURN(const EndpointId endpoint, EndpointId::Parse(id));
  ASSIGN_OR_RETURN(const EndpointView view, engine_.GetEndpoint(endpoint));
  if (!view.endpoint->capture) {
    return absl::NotFoundError(absl::StrCat("endpoint ", id, " has no capture that runs: give its bin's id"));
  }
  return tools_.bins().ForCapture(*view.endpoint).id;
}

grpc::Status CaptureService::CreateBin(grpc::ServerContext*, const v1::CreateBinRequest* request,
                                       v1::Bin* response) {
  if (absl::Status bad = CheckStatus(request->status()); !bad.ok()) return ToGrpc(bad);
  const absl::StatusOr<Millis> lifetime = Within(request->has_lifetime(), request->lifetime(), "lifetime",
                                                 kMinBinLifetime, kMaxBinLifetime, kDefaultBinLifetime);
  if (!lifetime.ok()) return ToGrpc(lifetime.status());
  const absl::StatusOr<BinView> bin =
      tools_.bins().Create(request->status() == 0 ? 200 : request->status(), *lifetime);
  if (!bin.ok()) return ToGrpc(bin.status());
  *response = Show(*bin);
  return ToGrpc(engine_.NoteAudit({"bin", bin->id, "", "", AuditJson(*response), {}}));
}

grpc::Status CaptureService::GetBin(grpc::ServerContext*, const v1::GetBinRequest* request,
                                    v1::Bin* response) {
  const absl::StatusOr<std::string> id = BinOf(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<BinView> bin = tools_.bins().Get(*id);
  if (bin.ok()) *response = Show(*bin);
  return ToGrpc(bin.status());
}

absl::StatusOr<std::string> CaptureService::EndCapture(EndpointId endpoint, const std::string& bin) {
  std::string ended;
  const WallMs now = tools_.clock().Wall();
  RETURN_IF_ERROR(engine_
                      .UpdateEndpoint(endpoint,
                                      [&](Endpoint& changed) {
                                        if (!Capturing(changed, now)) return absl::OkStatus();
                                        if (!bin.empty() && changed.capture->bin != bin)
                                          return absl::OkStatus();
                                        ended = changed.capture->bin;
                                        changed.capture.reset();
                                        return absl::OkStatus();
                                      })
                      .status());
  if (!ended.empty()) tools_.bins().CaptureEnded(ended);
  return ended;
}

grpc::Status CaptureService::DeleteBin(grpc::ServerContext*, const v1::DeleteBinRequest* request,
                                       google::protobuf::Empty*) {
  const absl::StatusOr<BinView> bin = tools_.bins().Get(request->id());
  if (!bin.ok()) return ToGrpc(bin.status());
  if (bin->endpoint.value != 0) {
    const absl::Status ended = EndCapture(bin->endpoint, bin->id).status();
    if (!ended.ok() && !absl::IsNotFound(ended)) return ToGrpc(ended);  // NOT_FOUND: the endpoint is gone
  }
  if (absl::Status gone = tools_.bins().Delete(request->id()); !gone.ok()) return ToGrpc(gone);
  return ToGrpc(engine_.NoteAudit({"bin", bin->id, "", AuditJson(Show(*bin)), "", {}}));
}

grpc::Status CaptureService::StartCapture(grpc::ServerContext*, const v1::StartCaptureRequest* request,
                                          v1::StartCaptureResponse* response) {
  const absl::StatusOr<EndpointId> id = ParseEndpoint(request->endpoint_id());
  if (!id.ok()) return ToGrpc(id.status());
  if (absl::Status bad = CheckStatus(request->status()); !bad.ok()) return ToGrpc(bad);
  const absl::StatusOr<Millis> duration = Within(request->has_duration(), request->duration(), "duration",
                                                 kMinCapture, kMaxCapture, kDefaultCapture);
  if (!duration.ok()) return ToGrpc(duration.status());
  if (const size_t running = tools_.bins().Captures(); running >= kMaxCaptures) {
    return ToGrpc(absl::ResourceExhaustedError(absl::StrCat(running, " captures run: stop one of them")));
  }
  const WallMs now = tools_.clock().Wall();
  const Capture capture{NewBinId(), now + duration->count(), request->delivers()};
  Endpoint captured;  // for its bin, which has to be there before the first request
  const absl::StatusOr<EndpointView> view = engine_.GetEndpoint(*id);
  if (!view.ok()) return ToGrpc(view.status());
  captured = *view->endpoint;
  const absl::StatusOr<SubscriberView> owner = engine_.GetSubscriber(captured.subscriber_id);
  if (!owner.ok()) return ToGrpc(owner.status());
  const absl::Status may = tools_.rules().MayCapture(captured.profile, owner->subscriber);
  if (!may.ok()) return ToGrpc(may);
  captured.capture = capture;
  if (capture.delivers && tools_.options().http_tls) {
    return ToGrpc(
        absl::FailedPreconditionError("delivers: attempts cannot go to bins while the HTTP port speaks TLS "
                                      "(http.tls); leave it out to hold them"));
  }
  const absl::StatusOr<BinView> made = tools_.bins().ForNewCapture(captured, request->status());
  if (!made.ok()) return ToGrpc(made.status());
  const BinView& bin = *made;
  const absl::Status started =
      engine_
          .UpdateEndpoint(*id,
                          [&](Endpoint& changed) -> absl::Status {
                            if (Capturing(changed, now)) {
                              return absl::FailedPreconditionError(absl::StrCat(
                                  "a capture of it runs (", changed.capture->bin, "): stop that one first"));
                            }
                            changed.capture = capture;
                            return absl::OkStatus();
                          })
          .status();
  if (!started.ok()) {
    tools_.bins().Delete(bin.id).IgnoreError();
    return ToGrpc(started);
  }
  *response->mutable_bin() = Show(bin);
  *response->mutable_end_time() = ToTimestamp(capture.until_ms);
  return grpc::Status::OK;
}

grpc::Status CaptureService::StopCapture(grpc::ServerContext*, const v1::StopCaptureRequest* request,
                                         v1::StopCaptureResponse* response) {
  const absl::StatusOr<EndpointId> id = ParseEndpoint(request->endpoint_id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<std::string> ended = EndCapture(*id, "");
  if (ended.ok()) response->set_bin_id(*ended);
  return ToGrpc(ended.status());
}

grpc::Status CaptureService::ListCaptured(grpc::ServerContext*, const v1::ListCapturedRequest* request,
                                          v1::ListCapturedResponse* response) {
  if (request->page_size() < 0 || request->page_size() > static_cast<int>(kMaxBinRequests)) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("page_size: is ", request->page_size(), ", use 0 to ", kMaxBinRequests)));
  }
  const absl::StatusOr<std::string> id = BinOf(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<BinView> bin = tools_.bins().Get(*id);
  if (!bin.ok()) return ToGrpc(bin.status());
  const size_t size =
      request->page_size() == 0 ? kDefaultCapturedPage : static_cast<size_t>(request->page_size());
  const absl::StatusOr<std::vector<CapturedPtr>> page =
      tools_.bins().List(*id, request->before_number(), size);
  if (!page.ok()) return ToGrpc(page.status());
  *response->mutable_bin() = Show(*bin);
  size_t bytes = 0;
  for (const CapturedPtr& one : *page) {
    v1::CapturedRequest shown = ToProto(*one, false);
    bytes += shown.ByteSizeLong();
    if (bytes > kMaxCapturedPageBytes && response->requests_size() > 0) break;
    *response->add_requests() = std::move(shown);
  }
  return grpc::Status::OK;
}

grpc::Status CaptureService::GetCaptured(grpc::ServerContext*, const v1::GetCapturedRequest* request,
                                         v1::CapturedRequest* response) {
  const absl::StatusOr<std::string> id = BinOf(request->id());
  if (!id.ok()) return ToGrpc(id.status());
  const absl::StatusOr<CapturedPtr> found = tools_.bins().Read(*id, request->number());
  if (found.ok()) *response = ToProto(**found, true);
  return ToGrpc(found.status());
}

grpc::ServerWriteReactor<v1::CapturedRequest>* CaptureService::WatchCapturedWhile(
    grpc::CallbackServerContext*, const v1::WatchCapturedRequest* request, StillAllowed allowed) {
  return CaptureWatch::Start(
      feed_, tools_.bins(), [this, id = request->id()] { return BinOf(id); },
      request->has_after_number() ? std::optional<uint64_t>(request->after_number()) : std::nullopt,
      std::move(allowed));
}

}  // namespace hookd
