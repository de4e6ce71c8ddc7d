#include "dispatcher/api/tool_service.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/acting.h"
#include "base/status_macros.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/query_convert.h"
#include "dispatcher/api/tool_call.h"
#include "dispatcher/api/tool_convert.h"
#include "dispatcher/core/endpoint_rules.h"

namespace hookd {
namespace {

absl::Status CheckHasUrl(const Endpoint& endpoint) {
  if (!endpoint.url.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("endpoint ", endpoint.id.ToString(),
                                                    " has no URL since its API key was changed: set one"));
}

// The stored endpoint, or the one in the request, which is checked as a new one is.
absl::StatusOr<Endpoint> EndpointOf(Engine& engine, const v1::TestEndpointRequest& request) {
  if (request.endpoint_id().empty() != request.has_endpoint()) {
    return absl::InvalidArgumentError("endpoint_id: give either it or endpoint");
  }
  if (!request.has_endpoint()) {
    ASSIGN_OR_RETURN(const std::optional<EndpointId> id, OptionalEndpointId(request.endpoint_id()));
    ASSIGN_OR_RETURN(const EndpointView view, engine.GetEndpoint(*id));
    RETURN_IF_ERROR(CheckHasUrl(*view.endpoint));
    return *view.endpoint;
  }
  ASSIGN_OR_RETURN(Endpoint endpoint, FromProto(request.endpoint()));
  RETURN_IF_ERROR(CheckSecretHeaders(endpoint.headers));
  RETURN_IF_ERROR(CheckEndpoint(endpoint));
  return endpoint;
}

absl::StatusOr<std::vector<SampleToSend>> SamplesOf(const ToolRules& rules, const std::string& profile,
                                                    const v1::TestEndpointRequest& request) {
  std::vector<SampleToSend> samples;
  for (int i = 0; i < request.samples_size(); ++i) {
    const v1::TestSample& asked = request.samples(i);
    if (asked.payload().empty()) {
      ASSIGN_OR_RETURN(Sample found, rules.FindSample(profile, asked.event_type(), asked.sample()));
      samples.push_back({asked.event_type(), std::move(found)});
      continue;
    }
    if (!asked.sample().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("samples[", i, "]: give either a sample's name or a payload"));
    }
    samples.push_back({asked.event_type(), {"", asked.payload()}});
  }
  return samples;
}

struct Run {
  std::shared_ptr<SampleRun> run;
  std::string bin;
};

absl::StatusOr<Run> MakeRun(Engine& engine, Toolbox& tools, const v1::TestEndpointRequest& request) {
  ASSIGN_OR_RETURN(Endpoint endpoint, EndpointOf(engine, request));
  absl::StatusOr<SubscriberView> view = engine.GetSubscriber(endpoint.subscriber_id);
  if (absl::IsNotFound(view.status())) {
    return absl::NotFoundError(absl::StrCat("subscriber_id: ", view.status().message()));
  }
  RETURN_IF_ERROR(view.status());
  const Subscriber& subscriber = view->subscriber;
  const std::string profile = endpoint.profile.empty() ? subscriber.profile : endpoint.profile;
  RETURN_IF_ERROR(tools.rules().MaySimulate(profile, subscriber));
  // Another profile's name is no way around the plan of one's own.
  if (profile != subscriber.profile)
    RETURN_IF_ERROR(tools.rules().MaySimulate(subscriber.profile, subscriber));
  ASSIGN_OR_RETURN(const std::vector<SampleToSend> samples, SamplesOf(tools.rules(), profile, request));
  std::optional<BinTarget> bin = tools.StandsIn(endpoint);
  if (bin && tools.options().http_tls) {
    return absl::FailedPreconditionError(
        "endpoint_id: a capture of it runs, and nothing can be sent to its bin while the HTTP port speaks "
        "TLS (http.tls): "
        "stop it first");
  }
  Run run;
  if (bin) run.bin = bin->id;
  ASSIGN_OR_RETURN(run.run, SampleRun::Make({tools.one_shot(), tools.clock(), tools.options().user_agent},
                                            std::move(endpoint), samples, std::move(bin)));
  return run;
}

absl::StatusOr<VerificationOrder> MakeOrder(Engine& engine, Toolbox& tools,
                                            const v1::VerifyEndpointRequest& request) {
  const absl::StatusOr<EndpointId> id = EndpointId::Parse(request.id());
  if (!id.ok()) return absl::InvalidArgumentError(absl::StrCat("id: ", id.status().message()));
  RETURN_IF_ERROR(CheckVerifyToken(request.verify_token()));
  if (!v1::VerificationMethod_IsValid(request.method())) {
    return absl::InvalidArgumentError(
        absl::StrCat("method: ", static_cast<int>(request.method()), " is no method"));
  }
  ASSIGN_OR_RETURN(const EndpointView view, engine.GetEndpoint(*id));
  VerificationOrder order;
  order.endpoint = *view.endpoint;
  RETURN_IF_ERROR(CheckHasUrl(order.endpoint));
  order.method = request.method() == v1::VERIFICATION_METHOD_UNSPECIFIED
                     ? tools.MethodFor(order.endpoint)
                     : static_cast<VerificationMethod>(request.method());
  order.verify_token = request.verify_token();
  order.origin = tools.options().origin;
  order.user_agent = tools.options().user_agent;
  return order;
}

}  // namespace

grpc::ServerUnaryReactor* ToolService::VerifyEndpoint(grpc::CallbackServerContext* context,
                                                      const v1::VerifyEndpointRequest* request,
                                                      v1::VerifyEndpointResponse* response) {
  const auto begin = [this, request, response,
                      origin = Acting::Now()](const std::shared_ptr<ToolCall>& call) {
    if (call->ended()) return;
    const absl::StatusOr<VerificationOrder> order = MakeOrder(engine_, tools_, *request);
    if (!order.ok()) return call->End(order.status());
    const absl::Status sent = Verify(
        tools_.one_shot(), tools_.clock(), *order,
        [this, feed = feed_, call, order = *order, response, origin](const VerificationResult& result) {
          feed->Post([this, call, order, result, response, origin] {
            const Acting acting(origin);
            Verified(call, order, result, *response);
          });
        });
    if (!sent.ok()) call->End(sent);
  };
  return ToolCall::Start(feed_, *context, begin);
}

void ToolService::Verified(const std::shared_ptr<ToolCall>& call, const VerificationOrder& order,
                           const VerificationResult& result, v1::VerifyEndpointResponse& response) {
  if (call->ended()) return;
  const Endpoint& tested = order.endpoint;
  const absl::StatusOr<EndpointView> view =
      !result.proof.proven
          ? engine_.GetEndpoint(tested.id)
          : engine_.EndpointVerified(tested.id, [&](Endpoint& endpoint) -> absl::Status {
              if (endpoint.url != tested.url || endpoint.signing_keys != tested.signing_keys) {
                return absl::AbortedError("its URL or secret changed meanwhile: verify it again");
              }
              if (const std::optional<uint32_t> most = result.proof.allowed_per_second;
                  most && (endpoint.policy.rate.per_second == 0 || *most < endpoint.policy.rate.per_second)) {
                endpoint.policy.rate.per_second = *most;
                endpoint.policy.rate.burst = std::min(endpoint.policy.rate.burst, *most);
              }
              return absl::OkStatus();
            });
  call->End(view.status(), [&] {
    response.set_verified(result.proof.proven);
    response.set_method(static_cast<v1::VerificationMethod>(order.method));
    response.set_expected(result.proof.expected);
    response.set_received(result.proof.received);
    *response.mutable_exchange() = ToProto(result.exchange);
    *response.mutable_endpoint() = ToProto(*view);
  });
}

grpc::ServerUnaryReactor* ToolService::TestEndpoint(grpc::CallbackServerContext* context,
                                                    const v1::TestEndpointRequest* request,
                                                    v1::TestEndpointResponse* response) {
  return ToolCall::Start(feed_, *context, [this, request, response](const std::shared_ptr<ToolCall>& call) {
    if (call->ended()) return;  // and the request with it
    absl::StatusOr<Run> made = MakeRun(engine_, tools_, *request);
    if (!made.ok()) return call->End(made.status());
    made->run->Start(
        [call, response, bin = made->bin](const absl::StatusOr<std::vector<SampleResult>>& results) {
          call->End(results.status(), [&] {
            for (const SampleResult& result : *results) {
              v1::TestResult& shown = *response->add_results();
              shown = ToProto(result);
              if (shown.has_attempt()) shown.set_bin_id(bin);
            }
          });
        },
        [call] { return call->ended(); });
  });
}

}  // namespace hookd
