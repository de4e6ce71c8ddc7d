#include "dispatcher/transport/target.h"

#include <string_view>
#include <utility>
#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>

#include "dispatcher/transport/curl_handles.h"

namespace hookd {
namespace {

CurlText Part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return nullptr;
  return CurlText(text);
}

bool IsIpLiteral(const std::string& host) {
  in6_addr bytes;
  return inet_pton(AF_INET, host.c_str(), &bytes) == 1 || inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

}  // namespace

std::optional<Target> ParseTarget(const std::string& url) {
  UrlHandle parsed(curl_url());
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  CurlText scheme = Part(parsed.get(), CURLUPART_SCHEME, 0);
  CurlText host = Part(parsed.get(), CURLUPART_HOST, 0);
  CurlText port = Part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!scheme || !host || !port) return std::nullopt;

  Target target;
  std::string_view scheme_text = scheme.get();
  if (scheme_text != "http" && scheme_text != "https") return std::nullopt;
  target.https = scheme_text == "https";
  uint32_t number = 0;
  if (!absl::SimpleAtoi(port.get(), &number) || number == 0 || number > 65535) return std::nullopt;
  target.port = static_cast<uint16_t>(number);
  std::string_view name = host.get();
  if (name.size() >= 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  if (name.empty()) return std::nullopt;
  target.host = std::string(name);
  if (IsIpLiteral(target.host)) {
    target.literal = std::make_shared<const std::vector<std::string>>(1, target.host);
  }
  return target;
}

std::shared_ptr<const Target> TargetCache::Get(const std::string& url) {
  if (auto it = targets_.find(url); it != targets_.end()) return it->second;
  std::optional<Target> target = ParseTarget(url);
  if (!target) return nullptr;
  if (targets_.size() >= kMaxCachedTargets) targets_.clear();
  auto shared = std::make_shared<const Target>(*std::move(target));
  targets_.emplace(url, shared);
  return shared;
}

std::string AddressAndPort(const std::string& address, uint16_t port) {
  bool v6 = address.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", address, "]:", port) : absl::StrCat(address, ":", port);
}

}  // namespace hookd
