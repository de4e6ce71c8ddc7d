// What the audit log shows of a resource: the API's own messages, as JSON.
#pragma once

#include <string>

#include <google/protobuf/message.h>

#include "dispatcher/core/audit_forms.h"

namespace hookd {

// On one line, in lowerCamelCase, without fields that have their default.
std::string AuditJson(const google::protobuf::Message& message);

// Lives as long as the process.
const AuditForms& ApiAuditForms();

}  // namespace hookd
