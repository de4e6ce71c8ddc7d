// A transport that sends access tokens along: fetches them by OAuth 2.0 client credentials, and keeps them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/clock.h"
#include "dispatcher/transport/http_transport.h"

namespace hookd {

inline constexpr Millis kTokenTimeout{10'000};     // of the token server's answer
inline constexpr size_t kMaxCachedTokens = 1'024;  // of one transport; the least recently used go first
inline constexpr Millis kTokenRetry{
    10'000};  // between renewals that fail while the old one lasts, and after 401s

// Requests without HttpRequest.oauth2 pass through. One with it is sent with a token of those credentials:
// while none is there it waits for the one request to their token server, which goes through `inner` as any
// other, and fails as kToken if that brings none (kLocal if hookd itself could not ask). So what waits is
// bounded by what the caller admits. A token is renewed beside the traffic before it ends; one that a
// receiver answers 401 to is forgotten.
//
// Thread: as HttpTransport.
class AuthorizingTransport final : public HttpTransport {
 public:
  // `clock` outlives it.
  AuthorizingTransport(std::unique_ptr<HttpTransport> inner, const Clock& clock);

  void Send(HttpRequest request, Callback done) override;
  void CancelAll() override;

  size_t cached() const { return entries_.size(); }

 private:
  struct Token {
    std::string header;
    SteadyTime renew_at;
    SteadyTime ends_at;
    bool taken = false;  // a receiver has answered it with something else than 401
  };
  struct Waiting {
    HttpRequest request;
    Callback done;
    SteadyTime since;
  };
  // By credentials, not by endpoint: whoever has the same ones may have the same token.
  struct Entry {
    std::shared_ptr<Token> token;  // null = none
    bool fetching = false;
    SteadyTime fetch_after;    // a renewal before then is left out
    SteadyTime refused_after;  // a 401 to a token in use before then is the receiver's word on the request
    std::vector<Waiting> waiting;
    SteadyTime used;
  };

  static std::string KeyOf(const OAuth2Credentials& oauth2);
  Entry& EntryOf(const std::string& key, SteadyTime now);
  void Fetch(const std::string& key, Entry& entry, const OAuth2Credentials& oauth2);
  void Fetched(const std::string& key, const HttpResult& answer);
  // `waited_us`: for the token.
  void SendWith(const std::string& key, std::shared_ptr<Token> token, HttpRequest request, Callback done,
                int64_t waited_us);

  // After a 401. Whether a new token may change it: the receiver had taken this one before the request was
  // sent. Once per kTokenRetry, as there are receivers that answer 401 to some requests whatever the token.
  bool Refused(const std::string& key, const std::shared_ptr<Token>& token, bool taken);

  const Clock& clock_;
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
  std::unique_ptr<HttpTransport> inner_;  // last: goes first, and its callbacks with it
};

}  // namespace hookd
