#include "dispatcher/api/audit_forms.h"

#include <memory>

#include <google/protobuf/util/json_util.h>

#include "base/check.h"
#include "dispatcher/api/convert.h"
#include "dispatcher/api/time_convert.h"
#include "dispatcher/api/token_service.h"
#include "hookd/v1/operations_service.pb.h"

namespace hookd {
namespace {

class Forms final : public AuditForms {
 public:
  std::string Show(const Subscriber& subscriber) const override {
    return AuditJson(ToProto(SubscriberView{subscriber, 0}));
  }
  std::string Show(const Endpoint& endpoint) const override {
    // The view does not outlive the call.
    const std::shared_ptr<const Endpoint> unowned(std::shared_ptr<const Endpoint>(), &endpoint);
    v1::Endpoint shown = ToProto(EndpointView{unowned, LaneState()});
    shown.clear_health();
    return AuditJson(shown);
  }
  std::string Show(const AccessToken& token) const override { return AuditJson(ToProto(token)); }
  std::string Show(const Job& job) const override { return AuditJson(ToProto(job)); }
  std::string Show(const Operations& operations) const override {
    v1::ServerStatus shown;
    shown.set_paused(operations.paused);
    shown.set_pause_reason(operations.pause_note);
    shown.set_clock_suspect(operations.clock_suspect);
    return AuditJson(shown);
  }
};

}  // namespace

std::string AuditJson(const google::protobuf::Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  HOOKD_CHECK(status.ok(), "a message of hookd's own is JSON");
  return json;
}

const AuditForms& ApiAuditForms() {
  static const Forms& forms = *new Forms();
  return forms;
}

}  // namespace hookd
