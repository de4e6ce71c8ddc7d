// Every file of hookd.v1, for what walks the API by its descriptors: the linker leaves out what nobody names.
#pragma once

#include <vector>

#include <google/protobuf/descriptor.h>

#include "dispatcher/api/call_rules.h"
#include "hookd/v1/audit_service.pb.h"
#include "hookd/v1/backup_service.pb.h"
#include "hookd/v1/capture_service.pb.h"
#include "hookd/v1/delivery_service.pb.h"
#include "hookd/v1/endpoint_service.pb.h"
#include "hookd/v1/event_service.pb.h"
#include "hookd/v1/job_service.pb.h"
#include "hookd/v1/operations_service.pb.h"
#include "hookd/v1/profile_service.pb.h"
#include "hookd/v1/subscriber_service.pb.h"
#include "hookd/v1/token_service.pb.h"
#include "hookd/v1/tool_service.pb.h"

namespace hookd::testing {

// Empty if one is missing above, or a call has no rule.
inline std::vector<const google::protobuf::MethodDescriptor*> ApiMethods() {
  const auto files = {v1::AuditRecord::descriptor(),
                      v1::BackupRun::descriptor(),
                      v1::Bin::descriptor(),
                      v1::Delivery::descriptor(),
                      v1::Endpoint::descriptor(),
                      v1::Event::descriptor(),
                      v1::Job::descriptor(),
                      v1::ServerStatus::descriptor(),
                      v1::Profile::descriptor(),
                      v1::Subscriber::descriptor(),
                      v1::ListTokensRequest::descriptor(),
                      v1::TestEndpointRequest::descriptor()};
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (const google::protobuf::Descriptor* type : files) {
    for (int i = 0; i < type->file()->service_count(); ++i) {
      const auto& service = *type->file()->service(i);
      for (int k = 0; k < service.method_count(); ++k) methods.push_back(service.method(k));
    }
  }
  if (methods.size() != CallRules().size() || !CheckCallRules(PublicServices(), CallRules()).ok())
    methods.clear();
  return methods;
}

}  // namespace hookd::testing
