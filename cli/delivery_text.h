// Deliveries in words, for people.
#pragma once

#include <string>

#include "hookd/v1/delivery_service.pb.h"

namespace hookd::cli {

// "PENDING".
std::string StateText(v1::DeliveryState state);

// "backoff, since TIME, until TIME"; "" when it waits for nothing.
std::string WaitingText(const v1::WaitingOn& waiting);

// "queue 2ms, connect 1ms, first byte 30ms": what happened.
std::string PhasesText(const v1::AttemptPhases& phases);

// "success", or the kind of the error and its detail.
std::string OutcomeText(const v1::Attempt& attempt);

// What was decided: "backoff until TIME".
std::string DecisionText(const v1::Attempt& attempt);

// Indented lines: times, headers and body of one attempt.
std::string ExchangeText(const v1::Attempt& attempt);

// Fields, and a table of attempts. `verbose` shows each with its headers and body instead.
std::string DeliveryText(const v1::Delivery& delivery, bool verbose);

}  // namespace hookd::cli
