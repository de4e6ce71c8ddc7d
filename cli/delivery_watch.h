// The stream of changes of deliveries, over breaks of the connection.
#pragma once

#include <functional>
#include <memory>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "hookd/v1/delivery_service.grpc.pb.h"

namespace hookd::cli {

// Hands every answer to `take`, until that says false (OK) or the server refuses. After a break it resumes
// behind the last answer; an error when no answer comes for `retry_for`, from when the break is noticed.
// Without request.after_commit, what happens before the first answer may be missed over a break.
grpc::Status WatchDeliveries(const std::shared_ptr<grpc::Channel>& channel,
                             v1::WatchDeliveriesRequest request, Duration retry_for, const Clock& clock,
                             const std::function<bool(const v1::WatchDeliveriesResponse&)>& take);

}  // namespace hookd::cli
