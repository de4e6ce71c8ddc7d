#include "storage/key_list.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "hookd/storage/v1/records.pb.h"
#include "storage/durable_file.h"

namespace hookd {
namespace {

constexpr char kHead[] = "hookd secret keys";
constexpr char kPlace[] = "keys/proof";
constexpr char kProof[] = "hookd";

absl::Status Damaged(const std::string& path) {
  return absl::DataLossError(Concat(path, " is damaged: restore the folder from a backup"));
}

// "key ID NONCE PROOF", each in hex, for every key.
absl::StatusOr<std::vector<storage::v1::SealedValue>> Read(const std::string& path) {
  std::vector<storage::v1::SealedValue> proofs;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return proofs;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line != kHead) return Damaged(path);
  std::string word;
  std::string id;
  std::string nonce;
  std::string bytes;
  while (file >> word) {
    uint32_t number = 0;
    if (word != "key" || !(file >> id >> nonce >> bytes) || !absl::SimpleHexAtoi(id, &number) ||
        number == 0) {
      return Damaged(path);
    }
    storage::v1::SealedValue& proof = proofs.emplace_back();
    proof.set_key_id(number);
    proof.set_nonce(absl::HexStringToBytes(nonce));
    proof.set_bytes(absl::HexStringToBytes(bytes));
  }
  return proofs;
}

}  // namespace

absl::StatusOr<std::vector<uint32_t>> CheckKeyList(const std::string& folder, const Sealer& sealer) {
  const std::string path = Concat(folder, "/", kKeyListFile);
  ASSIGN_OR_RETURN(const std::vector<storage::v1::SealedValue> proofs, Read(path));
  std::vector<uint32_t> ids;
  for (const storage::v1::SealedValue& proof : proofs) {
    const absl::StatusOr<std::string> opened = sealer.Open(proof, kPlace);
    if (absl::IsFailedPrecondition(opened.status())) {
      return absl::FailedPreconditionError(Concat(
          "secrets: ", folder, " holds secrets under key ", KeyIdText(proof.key_id()),
          ", which is not configured; ",
          sealer.key_id() == 0 ? std::string("no key is")
                               : Concat("the one that is, is ", KeyIdText(sealer.key_id())),
          ": give the right key with secrets.key_file, secrets.key_env or secrets.credential; if it is "
          "being replaced, list its file in secrets.old_key_files until `hookctl secrets rekey` is done"));
    }
    RETURN_IF_ERROR(opened.status());
    if (*opened != kProof) return Damaged(path);
    ids.push_back(proof.key_id());
  }
  return ids;
}

absl::Status WriteKeyList(const std::string& folder, const Sealer& sealer, const std::vector<uint32_t>& ids) {
  std::string text = Concat(kHead, "\n");
  for (const uint32_t id : ids) {
    SecretKeys one;
    if (sealer.key_id() == id) one.newest = sealer.keys().newest;
    for (const SecretKey& key : sealer.keys().old) {
      if (key.id() == id) one.newest = key;
    }
    HOOKD_CHECK(one.newest.has_value(), "what is listed is configured");
    storage::v1::SealedValue proof;
    Sealer(std::move(one)).Seal(kProof, kPlace, proof);
    text += Concat("key ", KeyIdText(id), " ", absl::BytesToHexString(proof.nonce()), " ",
                   absl::BytesToHexString(proof.bytes()), "\n");
  }
  return WriteDurably(folder, kKeyListFile, text);
}

}  // namespace hookd
