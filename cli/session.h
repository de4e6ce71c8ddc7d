// What every command works with: the server, how to show things, and how a command ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

namespace hookd::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;      // the server said no
inline constexpr int kExitUsage = 2;        // bad options or input
inline constexpr int kExitUnreachable = 3;  // no answer came
inline constexpr int kExitFailed = 4;       // hookctl itself: the output was lost
inline constexpr int kExitDiffers = 5;      // apply --dry-run: there is something to do
inline constexpr int kExitDeclined = 6;     // the question before it was answered with no

struct Session {
  std::string profile;  // "" = none
  std::string server = "127.0.0.1:7070";
  std::string token;  // "hkt_..."; "" = none
  // PEM: what the server's certificate is checked against ("" = no TLS), and the client's own.
  std::string ca_pem;
  std::string cert_pem;
  std::string key_pem;
  bool json = false;
  int timeout_seconds = 30;  // of one call, not of a stream
  int exit_code = kExitOk;   // set by the command that ran
  // Where server, output and deadline come from.
  std::map<std::string, std::string> sources;

  // Its calls carry the token.
  std::shared_ptr<grpc::Channel> Connect() const;
  // Sets the deadline of a call that is about to be made; the server may take `wait_seconds` of its own.
  void Prepare(grpc::ClientContext& context, int64_t wait_seconds = 0) const;

  // "hookctl: CODE: message" on standard error. False unless `status` is OK.
  bool Check(const grpc::Status& status);
  void UsageError(const std::string& message);
};

// Whether another try may help: no answer came, or the answer broke off.
bool MayTryAgain(const grpc::Status& status);

// "NOT_FOUND"; the canonical names.
std::string CodeName(int code);

}  // namespace hookd::cli
