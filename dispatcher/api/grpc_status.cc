#include "dispatcher/api/grpc_status.h"

#include <string>

namespace hookd {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // The numbers of absl's and gRPC's codes are the same ones; absl::Status::code() maps what is not canonical
  // to kUnknown.
  const auto code = static_cast<grpc::StatusCode>(status.code());
  return grpc::Status(code, std::string(status.message().substr(0, kMaxStatusMessage)));
}

}  // namespace hookd
