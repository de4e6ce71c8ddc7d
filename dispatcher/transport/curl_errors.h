// What a failed transfer is called: libcurl's code and the system's errno as an ErrorKind and plain words.
#pragma once

#include <string>
#include <string_view>

#include <curl/curl.h>

#include "base/model.h"

namespace hookd {

struct TransferError {
  ErrorKind kind = ErrorKind::kNone;
  std::string detail;  // at most kMaxErrorDetail printable bytes; never the URL's query nor a header
};

// How far the exchange came before it failed.
enum class Progress { kNothing, kConnected, kSent };

// `code` is not CURLE_OK. `os_errno` is 0 when the system reported none. `message` is CURLOPT_ERRORBUFFER's
// text; only TLS failures quote it.
TransferError ExplainTransfer(CURLcode code, int os_errno, std::string_view message, Progress progress);

// True for an errno that says that this machine, not the receiver, is in trouble: out of descriptors, memory
// or ports, no route.
bool IsLocalTrouble(int os_errno);

}  // namespace hookd
