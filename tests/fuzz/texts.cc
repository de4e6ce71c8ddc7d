// Short texts of callers: UTF-8, names, filters, hosts, secrets, PEM. The input: a text.
#include <algorithm>
#include <memory>
#include <string>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>

#include "dispatcher/api/query_convert.h"
#include "dispatcher/core/filter.h"
#include "dispatcher/core/signature.h"
#include "dispatcher/core/text_rules.h"
#include "dispatcher/core/tls_rules.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;

// By the table of RFC 3629, a code point at a time.
bool ReferenceUtf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<uint8_t>(text[0]);
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
    if (length == 0 || text.size() < length) return false;
    uint32_t point = length == 1 ? first : first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3f);
    }
    if ((length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10ffff)))
      return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    text.remove_prefix(length);
  }
  return true;
}

void CheckSecret(std::string_view text) {
  const absl::StatusOr<std::string> key = ParseSecret(text);
  if (!key.ok()) {
    fuzz::MustRefuse(key.status(), 256);
    return;
  }
  Must(key->size() >= kMinKeyBytes && key->size() <= kMaxKeyBytes, "a key is within its sizes");
  Must(*ParseSecret(FormatSecret(*key)) == *key, "a secret that is shown is the key");
}

void CheckPair(std::string_view text) {
  const absl::StatusOr<std::string> seed = ParsePrivateKey(text, "secret");
  if (!seed.ok()) {
    fuzz::MustRefuse(seed.status(), 256);
    // A secret has no spaces; hookd's own words do, and may be in the text.
    const std::string_view part = text.substr(std::min<size_t>(16, text.size()), 32);
    Must(part.size() < 32 || absl::StrContains({part.data(), part.size()}, " ") ||
             !absl::StrContains(seed.status().message(), {part.data(), part.size()}),
         "a refusal is without the secret");
    return;
  }
  Must(seed->size() == kEd25519Bytes, "a seed has its size");
  const std::string both = *seed + PublicKeyOf(*seed);
  Must(*ParsePrivateKey("whsk_" + absl::Base64Escape(both), "secret") == *seed,
       "a pair that is written is read");
}

void CheckPem(std::string_view text) {
  TlsSettings tls;
  tls.ca_pem = std::string(text);
  const absl::Status ca = CheckTls(tls);
  if (!ca.ok()) fuzz::MustRefuse(ca, 512);
  tls = {};
  const size_t half = text.find("-----BEGIN", 1);
  tls.client_certificate_pem = std::string(text.substr(0, half));
  tls.client_key_pem = half == std::string_view::npos ? "" : std::string(text.substr(half));
  const absl::Status client = CheckTls(tls);
  if (!client.ok()) fuzz::MustRefuse(client, 512);
  tls = {};
  tls.pinned_keys = {std::string(text)};
  if (const absl::Status pins = CheckTls(tls); !pins.ok()) fuzz::MustRefuse(pins, 512);
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::Must(IsUtf8(text) == ReferenceUtf8(text), "UTF-8 is what RFC 3629 says");
  if (CheckText("f", text, 256).ok()) {
    fuzz::Must(IsUtf8(text) && text.size() <= 256 && text.find('\n') == std::string::npos, "a text is short");
  }
  if (CheckMailAddress("f", text).ok()) {
    fuzz::Must(text.find_first_of("\r\n <>,") == std::string::npos, "an address is one");
  }
  if (const absl::Status pattern = CheckPatterns("f", {text}); pattern.ok()) {
    const std::string type = text.ends_with('*') ? text.substr(0, text.size() - 1) + "x" : text;
    fuzz::Must(MatchesAny({text}, type), "a pattern takes what it says");
  } else {
    fuzz::MustRefuse(pattern, 512);
  }
  const absl::StatusOr<std::string> host = NormalHost(text);
  if (host.ok()) {
    fuzz::Must(host->size() <= kMaxHostText && NormalHost(*host) == host, "a host that is normal stays");
  } else {
    fuzz::MustRefuse(host.status(), 512);
  }
  CheckSecret(text);
  CheckPair(text);
  CheckPem(text);
  return 0;
}
