#include "dispatcher/transport/authorizing_transport.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/concat.h"
#include "dispatcher/core/authorization.h"

namespace hookd {
namespace {

constexpr int kUnauthorized = 401;

int64_t Us(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

// What requests come to that waited for a token in vain.
HttpResult WithoutToken(ErrorKind error, std::string detail, int64_t waited_us) {
  HttpResult result;
  result.error = error;
  result.error_detail = std::move(detail);
  result.error_detail.resize(std::min(result.error_detail.size(), kMaxErrorDetail));
  result.us.total = waited_us;
  return result;
}

}  // namespace

AuthorizingTransport::AuthorizingTransport(std::unique_ptr<HttpTransport> inner, const Clock& clock)
    : clock_(clock), inner_(std::move(inner)) {}

// Each part behind its length, so that no two credentials meet.
std::string AuthorizingTransport::KeyOf(const OAuth2Credentials& oauth2) {
  std::string key;
  const auto add = [&key](std::string_view part) { key += Concat(part.size(), ":", part); };
  add(oauth2.token_url);
  add(oauth2.client_id);
  add(oauth2.client_secret);
  add(oauth2.audience);
  add(oauth2.secret_in_body ? "body" : "header");
  for (const std::string& scope : oauth2.scopes) add(scope);
  return key;
}

AuthorizingTransport::Entry& AuthorizingTransport::EntryOf(const std::string& key, SteadyTime now) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    found->second->used = now;
    return *found->second;
  }
  if (entries_.size() >= kMaxCachedTokens) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second->fetching) continue;
      if (oldest == entries_.end() || it->second->used < oldest->second->used) oldest = it;
    }
    if (oldest != entries_.end()) entries_.erase(oldest);
  }
  std::unique_ptr<Entry>& made = entries_[key];
  made = std::make_unique<Entry>();
  made->used = now;
  return *made;
}

void AuthorizingTransport::Send(HttpRequest request, Callback done) {
  if (request.oauth2 == nullptr) return inner_->Send(std::move(request), std::move(done));
  const SteadyTime now = clock_.Steady();
  const std::string key = KeyOf(*request.oauth2);
  Entry& entry = EntryOf(key, now);
  if (entry.token != nullptr && now < entry.token->ends_at) {
    const std::shared_ptr<Token> token = entry.token;
    if (now >= token->renew_at && now >= entry.fetch_after) Fetch(key, entry, *request.oauth2);
    return SendWith(key, token, std::move(request), std::move(done), 0);
  }
  const std::shared_ptr<const OAuth2Credentials> oauth2 = request.oauth2;
  entry.waiting.push_back({std::move(request), std::move(done), now});
  Fetch(key, entry, *oauth2);
}

void AuthorizingTransport::Fetch(const std::string& key, Entry& entry, const OAuth2Credentials& oauth2) {
  if (std::exchange(entry.fetching, true)) return;
  TokenRequest made = MakeTokenRequest(oauth2);
  HttpRequest request;
  request.url = oauth2.token_url;
  request.headers = std::move(made.headers);
  const auto form = std::make_shared<const std::string>(std::move(made.form));
  request.body = *form;
  request.body_owner = form;
  request.timeout = kTokenTimeout;
  inner_->Send(std::move(request), [this, key](const HttpResult& answer) { Fetched(key, answer); });
}

void AuthorizingTransport::Fetched(const std::string& key, const HttpResult& answer) {
  const SteadyTime now = clock_.Steady();
  Entry& entry = *entries_.at(key);  // one that fetches is not dropped
  entry.fetching = false;
  std::vector<Waiting> waiting = std::exchange(entry.waiting, {});
  std::string why;
  if (answer.error != ErrorKind::kNone) {
    why = Concat("no answer of the token server: ", answer.error_detail);
  } else {
    const absl::StatusOr<AccessGrant> grant =
        ReadTokenAnswer(answer.status, answer.body, answer.body_truncated);
    if (grant.ok()) {
      entry.token = std::make_shared<Token>(
          Token{Concat("Bearer ", grant->token), now + RenewAfter(grant->lifetime), now + grant->lifetime});
    } else {
      why = std::string(grant.status().message());
    }
  }
  if (why.empty()) {
    const std::shared_ptr<Token> token = entry.token;
    for (Waiting& one : waiting) {
      SendWith(key, token, std::move(one.request), std::move(one.done), Us(now - one.since));
    }
    return;
  }
  entry.fetch_after = now + kTokenRetry;
  const ErrorKind error = answer.error == ErrorKind::kLocal ? ErrorKind::kLocal : ErrorKind::kToken;
  for (Waiting& one : waiting) {
    HttpResult result = WithoutToken(error, why, Us(now - one.since));
    result.token_error = answer.error;
    one.done(std::move(result));
  }
}

void AuthorizingTransport::SendWith(const std::string& key, std::shared_ptr<Token> token, HttpRequest request,
                                    Callback done, int64_t waited_us) {
  request.oauth2.reset();
  request.headers.emplace_back("Authorization", token->header);
  const bool taken = token->taken;
  inner_->Send(std::move(request), [this, key, token = std::move(token), taken, done = std::move(done),
                                    waited_us](HttpResult result) {
    if (result.status == kUnauthorized) {
      result.token_refused = Refused(key, token, taken);
    } else if (result.status != 0) {
      token->taken = true;
    }
    result.us.total += waited_us;
    done(std::move(result));
  });
}

bool AuthorizingTransport::Refused(const std::string& key, const std::shared_ptr<Token>& token, bool taken) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second->token != token) return taken;
  Entry& entry = *found->second;
  const SteadyTime now = clock_.Steady();
  if (taken && now < entry.refused_after) return false;
  entry.token.reset();
  if (taken) entry.refused_after = now + kTokenRetry;
  return taken;
}

void AuthorizingTransport::CancelAll() { inner_->CancelAll(); }

}  // namespace hookd
