// One call, and what most commands do around it.
#pragma once

#include <memory>

#include "cli/session.h"

namespace hookd::cli {

// Ask<v1::EventService>(session, &v1::EventService::Stub::GetEvent, request, event): false when it failed;
// `session` has said so.
template <typename Service, typename Request, typename Response>
bool Ask(Session& session,
         grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
         const Request& request, Response& response) {
  const auto stub = Service::NewStub(session.Connect());
  grpc::ClientContext context;
  session.Prepare(context);
  return session.Check((stub.get()->*method)(&context, request, &response));
}

template <typename Request>
Request ById(const std::string& id) {
  Request request;
  request.set_id(id);
  return request;
}

}  // namespace hookd::cli
