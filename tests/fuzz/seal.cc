// Seals: nothing opens that was not sealed there, under this key. The input: a byte to change, its place, and
// what is sealed; the whole is a key's text, and a sealed record, too.
#include "storage/seal.h"

#include <string>

#include <google/protobuf/stubs/logging.h>

#include "hookd/storage/v1/records.pb.h"
#include "storage/secret_keys.h"
#include "tests/fuzz/fuzz.h"

namespace hookd {
namespace {

using fuzz::Must;
using storage::v1::SealedValue;

constexpr std::string_view kPlace = "endpoint/0a3f000000000001/url";

const Sealer& TheSealer() {
  static const Sealer& sealer = *[] {
    SecretKeys keys;
    keys.newest.emplace().bytes.fill(1);
    return new Sealer(keys);
  }();
  return sealer;
}

void CheckChanged(uint8_t bit, size_t at, std::string_view plain) {
  SealedValue sealed;
  TheSealer().Seal(plain, kPlace, sealed);
  Must(*TheSealer().Open(sealed, kPlace) == plain, "a seal opens");
  Must(absl::IsDataLoss(TheSealer().Open(sealed, "endpoint/0a3f000000000001/x").status()),
       "in its place alone");
  Must(plain.size() < 16 || sealed.bytes().find(plain.substr(0, 16)) == std::string::npos, "and hides it");
  std::string& bytes = *(at % 2 == 0 ? sealed.mutable_bytes() : sealed.mutable_nonce());
  bytes[at / 2 % bytes.size()] = static_cast<char>(bytes[at / 2 % bytes.size()] ^ (1 << bit % 8));
  Must(absl::IsDataLoss(TheSealer().Open(sealed, kPlace).status()), "a seal that was changed does not open");
}

}  // namespace
}  // namespace hookd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hookd;
  static auto* const silenced = google::protobuf::SetLogHandler(nullptr);  // of texts that are not UTF-8
  static_cast<void>(silenced);
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<SecretKey> key = ParseSecretKey(whole);
  if (key.ok()) {
    fuzz::Must(key->id() != 0, "a key has an id");
  } else {
    fuzz::MustRefuse(key.status(), 256);
  }
  storage::v1::SealedValue made_up;
  if (made_up.ParseFromArray(data, static_cast<int>(size))) {
    const absl::StatusOr<std::string> opened = TheSealer().Open(made_up, kPlace);
    fuzz::Must(!opened.ok() || made_up.key_id() == 0, "nothing opens that was made up");
  }
  fuzz::Input input(data, size);
  const uint8_t bit = input.Byte();
  const size_t at = input.Byte();
  CheckChanged(bit, at, input.rest());
  return 0;
}
