#include "dispatcher/core/ownership.h"

#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <boost/json/parse.hpp>

#include "base/concat.h"
#include "dispatcher/core/signature.h"

namespace hookd {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kShownProofBytes));
  for (char& c : shown) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return Concat("\"", shown, text.size() > kShownProofBytes ? "...\"" : "\"");
}

bool IsSuccess(int status) { return status >= 200 && status <= 299; }

Proof Proven() {
  Proof proof;
  proof.proven = true;
  return proof;
}

Proof Failed(std::string expected, std::string received) {
  Proof proof;
  proof.expected = std::move(expected);
  proof.received = std::move(received);
  return proof;
}

// Everything but RFC 3986's unreserved characters.
std::string PercentEncoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

// The string under that name in a JSON object.
std::optional<std::string> Member(std::string_view body, std::string_view name) {
  boost::json::error_code error;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::value* member =
      value.get_object().if_contains(boost::json::string_view(name.data(), name.size()));
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return std::string(member->get_string().data(), member->get_string().size());
}

}  // namespace

absl::Status CheckVerifyToken(std::string_view token) {
  const bool visible = std::all_of(token.begin(), token.end(),
                                   [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (visible && token.size() <= kMaxVerifyTokenBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat("verify_token: is not visible ASCII of at most ", kMaxVerifyTokenBytes, " characters"));
}

std::string NewChallenge() { return absl::BytesToHexString(GenerateKey()); }

std::string HubUrl(const std::string& url, std::string_view challenge, std::string_view verify_token) {
  std::string asked = Concat(url, url.find('?') == std::string::npos ? "?" : "&",
                             "hub.mode=subscribe&hub.challenge=", challenge);
  if (!verify_token.empty()) asked += Concat("&hub.verify_token=", PercentEncoded(verify_token));
  return asked;
}

Proof JudgeHub(std::string_view challenge, int status, std::string_view body) {
  if (IsSuccess(status) && body == challenge) return Proven();
  return Failed(Concat("a 2xx status, and a body that is the value of hub.challenge and nothing else: ",
                       Shown(challenge)),
                Concat("status ", status, ", and the body ", Shown(body)));
}

std::string HmacChallengeBody(std::string_view challenge) {
  return Concat(R"({"type":"endpoint.verification","crc_token":")", challenge, R"("})");
}

Proof JudgeHmac(const std::vector<std::string>& keys, std::string_view challenge, int status,
                std::string_view body) {
  constexpr std::string_view kPrefix = "sha256=";
  const std::string expected =
      "a 2xx status, and JSON with \"response_token\": base64 of HMAC-SHA256 over the value of crc_token "
      "with the "
      "endpoint's signing key (the bytes behind whsec_, decoded)";
  const std::optional<std::string> token = Member(body, "response_token");
  if (!IsSuccess(status) || !token) {
    return Failed(expected, Concat("status ", status, ", and the body ", Shown(body)));
  }
  std::string_view given = *token;
  if (given.starts_with(kPrefix)) given.remove_prefix(kPrefix.size());
  for (const std::string& key : keys) {
    const std::string mac = HmacSha256(key, challenge);
    if (given == absl::Base64Escape(mac)) return Proven();
  }
  return Failed(expected, Concat("a response_token of another key or text: ", Shown(*token)));
}

std::optional<uint64_t> RequestRate(const RateLimit& rate) {
  if (rate.per_second == 0) return std::nullopt;
  return uint64_t{60} * rate.per_second;
}

Proof JudgeCloudEvents(std::string_view origin, const RateLimit& rate, int status,
                       std::string_view allowed_origin, std::string_view allowed_rate) {
  const std::string expected =
      Concat("an answer that is no redirect, with WebHook-Allowed-Origin: ", origin, " (or *)");
  const bool redirect = status >= 300 && status <= 399;
  if (redirect || (allowed_origin != "*" && !absl::EqualsIgnoreCase(View(allowed_origin), View(origin)))) {
    return Failed(expected,
                  Concat("status ", status, ", ",
                         allowed_origin.empty() ? std::string("without WebHook-Allowed-Origin")
                                                : "with WebHook-Allowed-Origin: " + Shown(allowed_origin)));
  }
  Proof proof = Proven();
  uint32_t per_minute = 0;
  if (allowed_rate.empty() || allowed_rate == "*") return proof;
  if (!absl::SimpleAtoi(View(allowed_rate), &per_minute) || per_minute == 0) {
    return Failed("a WebHook-Allowed-Rate of 1 or more requests per minute, or *",
                  Concat("WebHook-Allowed-Rate: ", Shown(allowed_rate)));
  }
  // One per second is the lowest that there is.
  const uint32_t per_second = std::max<uint32_t>(1, per_minute / 60);
  if (rate.per_second == 0 || per_second < rate.per_second) proof.allowed_per_second = per_second;
  return proof;
}

}  // namespace hookd
