#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/endpoint_flags.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/tool_text.h"
#include "hookd/v1/tool_service.grpc.pb.h"

namespace hookd::cli {
namespace {

// A receiver may take its whole timeout, for each sample that it answers.
constexpr int64_t kSecondsPerSample = 60;

struct Flags {
  EndpointFlags endpoint;  // its id, or what it would be
  std::vector<std::string> types;
  std::string payload;
  std::string payload_file;
};

// "message:in:new", or "message:in:new=text" for a sample by name.
v1::TestSample SampleOf(const std::string& text) {
  v1::TestSample sample;
  const size_t equals = text.find('=');
  sample.set_event_type(text.substr(0, equals));
  if (equals != std::string::npos) sample.set_sample(text.substr(equals + 1));
  return sample;
}

void Test(Session& session, Flags& flags) {
  v1::TestEndpointRequest request;
  if (flags.endpoint.id.empty() == flags.endpoint.subscriber.empty()) {
    return session.UsageError("give an endpoint's id, or --subscriber and --url");
  }
  if (!flags.endpoint.id.empty()) {
    request.set_endpoint_id(flags.endpoint.id);
  } else {
    const std::string wrong = FillEndpoint(flags.endpoint, *request.mutable_endpoint());
    if (!wrong.empty()) return session.UsageError(wrong);
    request.mutable_endpoint()->set_subscriber_id(flags.endpoint.subscriber);
  }
  if (!flags.payload_file.empty()) {
    absl::StatusOr<std::string> payload = ReadFile(flags.payload_file);
    if (!payload.ok()) return session.UsageError(std::string(payload.status().message()));
    flags.payload = *std::move(payload);
  }
  for (const std::string& type : flags.types) {
    v1::TestSample& sample = *request.add_samples();
    sample = SampleOf(type);
    sample.set_payload(flags.payload);
  }
  const auto stub = v1::ToolService::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context, kSecondsPerSample * request.samples_size());
  v1::TestEndpointResponse response;
  if (!session.Check(stub->TestEndpoint(&context, request, &response))) return;
  for (const v1::TestResult& result : response.results()) {
    if (result.diagnosis().kind() != v1::DIAGNOSIS_KIND_SUCCESS) session.exit_code = kExitRefused;
  }
  if (session.json) return PrintJson(response);
  for (int i = 0; i < response.results_size(); ++i) {
    std::printf("%s%s", i == 0 ? "" : "\n", TestResultText(response.results(i)).c_str());
  }
}

}  // namespace

void AddTestCommand(CLI::App& endpoints, Session& session) {
  CLI::App& test = *endpoints.add_subcommand(
      "test", "send samples now, past the queue, and show what came back; exit code 1 unless all succeeded");
  auto flags = std::make_shared<Flags>();
  EndpointFlags& endpoint = flags->endpoint;
  test.add_option("id", endpoint.id, "ep_...; without it, one that is not saved: --subscriber and --url");
  test.add_option("--type", flags->types,
                  "an event type, or TYPE=SAMPLE for a sample of the catalogue by name; repeat it")
      ->required();
  CLI::Option* payload =
      test.add_option("--payload", flags->payload, "JSON text, instead of the catalogue's sample");
  test.add_option("--payload-file", flags->payload_file, "a file that holds it; - = standard input")
      ->excludes(payload);
  test.add_option("--subscriber", endpoint.subscriber, "not saved: whose it would be");
  test.add_option("--url", endpoint.url, "not saved: http or https");
  test.add_option("--header", endpoint.headers, "not saved: \"Name: value\"; repeat it");
  test.add_option("--secret-header", endpoint.secret_headers,
                  "not saved: \"Name: value\" or \"Name: @FILE\", not shown");
  test.add_option("--signing-secret-file", endpoint.signing_secret_file,
                  "not saved: holds \"whsec_\" and base64; - = standard input");
  test.add_option("--timeout", endpoint.timeout, "not saved: such as 30s");
  test.add_option("--success", endpoint.success, "not saved: status codes such as 200-209; repeat it");
  test.add_option("--http", endpoint.http, "not saved: version 1.1 or 2")->check(CLI::IsMember({"1.1", "2"}));
  test.callback([&session, flags] { Test(session, *flags); });
}

}  // namespace hookd::cli
