#include "storage/seal.h"

#include <array>
#include <memory>
#include <utility>

#include <absl/status/status.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/check.h"
#include "base/concat.h"
#include "hookd/storage/v1/records.pb.h"

namespace hookd {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const uint8_t* Bytes(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* Bytes(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

// What fails here is memory, or the library itself.
void Must(int result) { HOOKD_CHECK(result == 1, "OpenSSL's AES-256-GCM or its random numbers fail"); }

}  // namespace

Sealer::Sealer(SecretKeys keys) : keys_(std::move(keys)) {
  if (keys_.newest) newest_id_ = keys_.newest->id();
  for (const SecretKey& key : keys_.old) old_ids_.push_back(key.id());
}

const SecretKey* Sealer::Find(uint32_t id) const {
  if (keys_.newest && id == newest_id_) return &*keys_.newest;
  for (size_t i = 0; i < old_ids_.size(); ++i) {
    if (old_ids_[i] == id) return &keys_.old[i];
  }
  return nullptr;
}

void Sealer::Seal(std::string_view plain, std::string_view place, storage::v1::SealedValue& out) const {
  if (!keys_.newest) {
    out.set_bytes(plain.data(), plain.size());
    return;
  }
  std::string nonce(kNonceBytes, '\0');
  Must(RAND_bytes(Bytes(nonce), static_cast<int>(nonce.size())));
  std::string sealed(plain.size() + kTagBytes, '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  Must(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, keys_.newest->bytes.data(),
                          Bytes(nonce)));
  Must(EVP_EncryptUpdate(context.get(), nullptr, &size, Bytes(place), static_cast<int>(place.size())));
  Must(EVP_EncryptUpdate(context.get(), Bytes(sealed), &size, Bytes(plain), static_cast<int>(plain.size())));
  Must(EVP_EncryptFinal_ex(context.get(), Bytes(sealed) + size, &size));
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes),
                           Bytes(sealed) + plain.size()));
  out.set_key_id(newest_id_);
  out.set_nonce(std::move(nonce));
  out.set_bytes(std::move(sealed));
}

absl::StatusOr<std::string> Sealer::Open(const storage::v1::SealedValue& sealed,
                                         std::string_view place) const {
  if (sealed.key_id() == 0) return sealed.bytes();
  const SecretKey* key = Find(sealed.key_id());
  if (key == nullptr) {
    return absl::FailedPreconditionError(Concat("a stored secret is sealed under key ",
                                                KeyIdText(sealed.key_id()),
                                                ", which is not configured: add its file to "
                                                "secrets.old_key_files"));
  }
  const absl::Status damaged =
      absl::DataLossError("a stored secret does not open under its key: it is damaged, or of another record");
  if (sealed.nonce().size() != kNonceBytes || sealed.bytes().size() < kTagBytes) return damaged;
  const size_t length = sealed.bytes().size() - kTagBytes;
  std::string tag = sealed.bytes().substr(length);
  std::string plain(length, '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  Must(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key->bytes.data(),
                          Bytes(std::string_view(sealed.nonce()))));
  Must(EVP_DecryptUpdate(context.get(), nullptr, &size, Bytes(place), static_cast<int>(place.size())));
  Must(EVP_DecryptUpdate(context.get(), Bytes(plain), &size, Bytes(std::string_view(sealed.bytes())),
                         static_cast<int>(length)));
  Must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes), Bytes(tag)));
  if (EVP_DecryptFinal_ex(context.get(), Bytes(plain) + size, &size) != 1) return damaged;
  return plain;
}

}  // namespace hookd
