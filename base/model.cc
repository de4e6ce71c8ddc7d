#include "base/model.h"

#include <algorithm>

namespace hookd {

std::string_view ToString(DeliveryState state) {
  switch (state) {
    case DeliveryState::kPending:
      return "PENDING";
    case DeliveryState::kSucceeded:
      return "SUCCEEDED";
    case DeliveryState::kExhausted:
      return "EXHAUSTED";
    case DeliveryState::kExpired:
      return "EXPIRED";
    case DeliveryState::kCanceled:
      return "CANCELED";
  }
  return "UNKNOWN";
}

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNone:
      return "none";
    case ErrorKind::kStatus:
      return "status";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kName:
      return "name";
    case ErrorKind::kConnect:
      return "connect";
    case ErrorKind::kTls:
      return "tls";
    case ErrorKind::kProtocol:
      return "protocol";
    case ErrorKind::kResponseTooBig:
      return "response_too_big";
    case ErrorKind::kLocal:
      return "local";
    case ErrorKind::kRefusedAddress:
      return "refused_address";
    case ErrorKind::kToken:
      return "token";
  }
  return "unknown";
}

std::string_view HttpVersionName(int version) {
  switch (version) {
    case 10:
      return "1.0";
    case 11:
      return "1.1";
    case 20:
      return "2";
    default:
      return "";
  }
}

std::string_view ToString(EndReason reason) {
  switch (reason) {
    case EndReason::kNone:
      return "none";
    case EndReason::kDelivered:
      return "delivered";
    case EndReason::kRetriesUsedUp:
      return "retries_used_up";
    case EndReason::kEndpointDeleted:
      return "endpoint_deleted";
    case EndReason::kTooOld:
      return "too_old";
    case EndReason::kExpiresAt:
      return "expires_at";
    case EndReason::kBacklogFull:
      return "backlog_full";
    case EndReason::kCanceledByPerson:
      return "by_person";
    case EndReason::kExpiredByPerson:
      return "expired_by_person";
    case EndReason::kSuperseded:
      return "superseded";
    case EndReason::kPurged:
      return "purged";
  }
  return "unknown";
}

std::string_view ToString(DisableReason reason) {
  switch (reason) {
    case DisableReason::kNone:
      return "none";
    case DisableReason::kFailures:
      return "failures";
    case DisableReason::kGone:
      return "gone";
    case DisableReason::kPerson:
      return "person";
    case DisableReason::kUrlCleared:
      return "url_cleared";
    case DisableReason::kUnverified:
      return "unverified";
  }
  return "unknown";
}

std::string_view ToString(TokenRole role) {
  switch (role) {
    case TokenRole::kPublisher:
      return "publisher";
    case TokenRole::kOperator:
      return "operator";
    case TokenRole::kViewer:
      return "viewer";
    case TokenRole::kSubscriber:
      return "subscriber";
  }
  return "unknown";
}

WallMs KeysEnd(const Endpoint& endpoint) {
  WallMs end = 0;
  for (const SigningKey& key : endpoint.signing_keys) {
    if (key.expires_ms != 0 && (end == 0 || key.expires_ms < end)) end = key.expires_ms;
  }
  return end;
}

bool HoldsChannel(const Subscriber& subscriber, const Endpoint& endpoint) {
  const std::vector<std::string>& held = subscriber.held_channels;
  return endpoint.channels.size() == 1 &&
         std::find(held.begin(), held.end(), endpoint.channels[0]) != held.end();
}

Hold HoldOf(const Subscriber& subscriber, const Endpoint& endpoint) {
  if (endpoint.paused || endpoint.disabled != DisableReason::kNone) return Hold::kEndpoint;
  if (subscriber.paused) return Hold::kSubscriber;
  return HoldsChannel(subscriber, endpoint) ? Hold::kChannel : Hold::kNone;
}

}  // namespace hookd
