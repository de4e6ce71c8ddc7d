#include "dispatcher/api/tool_convert.h"

#include "dispatcher/api/convert.h"

namespace hookd {

v1::TestResult ToProto(const ToolExchange& exchange) {
  v1::TestResult proto;
  proto.mutable_diagnosis()->set_kind(static_cast<v1::DiagnosisKind>(exchange.diagnosis.kind));
  proto.mutable_diagnosis()->set_text(exchange.diagnosis.text);
  proto.mutable_diagnosis()->set_location(exchange.diagnosis.location);
  if (exchange.attempt.number != 0) *proto.mutable_attempt() = ToProto(exchange.attempt);
  if (exchange.certificate != nullptr) {
    const PeerCertificate& certificate = *exchange.certificate;
    v1::Certificate& shown = *proto.mutable_certificate();
    shown.set_subject(certificate.subject);
    shown.set_issuer(certificate.issuer);
    for (const std::string& name : certificate.names) shown.add_names(name);
    *shown.mutable_valid_from() = ToTimestamp(certificate.not_before_ms);
    *shown.mutable_valid_until() = ToTimestamp(certificate.not_after_ms);
  }
  return proto;
}

v1::TestResult ToProto(const SampleResult& result) {
  v1::TestResult proto = ToProto(result.exchange);
  proto.set_event_type(result.event->type);
  proto.set_sample(result.sample);
  if (!proto.has_attempt()) return proto;
  proto.set_webhook_id(result.event->id.ToString());
  proto.set_payload(result.event->payload);
  return proto;
}

}  // namespace hookd
