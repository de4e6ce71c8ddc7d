// Secrets, and what a purge takes away: from the rows, and from the files.
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/key_codec.h"
#include "storage/key_list.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

constexpr std::chrono::milliseconds kSnapshotPoll{10};
constexpr char kOldestSnapshot[] = "rocksdb.oldest-snapshot-sequence";

absl::Status Stopped() { return absl::CancelledError("stopped before the files were rewritten"); }

}  // namespace

// The attempts of a delivery that ended with one: the last is in its end. Only then its figures are there.
void RocksDbStore::Write(const ResponsesErased& fact) {
  const Delivery& delivery = fact.delivery;
  const bool ended_by_attempt = delivery.last_status != 0 || delivery.last_error != ErrorKind::kNone;
  size_t own_rows = delivery.attempts.size();
  records::End end;
  if (ended_by_attempt && own_rows > 0) {
    end.has_attempt = true;
    end.last_attempt = delivery.attempts[--own_rows];
  }
  for (size_t i = 0; i < own_rows; ++i) {
    const Attempt& attempt = delivery.attempts[i];
    Put(kHistory, keys::HistoryRow(delivery.id, attempt.number),
        records::Encode(attempt, delivery.id, PayloadSealer()));
  }
  end.event = delivery.event;
  end.state = delivery.state;
  end.reason = delivery.reason;
  end.ended_ms = delivery.ended_ms;
  end.attempt_count = delivery.attempt_count;
  end.event_type = delivery.event_type;
  end.subscriber_id = delivery.subscriber_id;
  end.batch = delivery.batch;
  if (delivery.origin != Origin::kPublish) {
    end.remade =
        std::make_shared<const Remade>(Remade{delivery.accepted_ms, delivery.origin, delivery.replaces});
  }
  Put(kHistory, keys::HistoryRow(delivery.id, keys::kEndRow),
      records::Encode(end, delivery.id, PayloadSealer()));
}

void RocksDbStore::Write(const EventErased& fact) {
  buckets_.Apply(fact);
  Delete(kEvents, keys::OfEvent(fact.event));
}

absl::StatusOr<StalePage> RocksDbStore::StaleSecrets(EndpointId after, size_t limit) const {
  const Reader reader(*this);
  StalePage page;
  page.last = after;
  size_t looked = 0;
  RETURN_IF_ERROR(reader.Scan(kEndpoints, keys::JustAfter(keys::OfEndpoint(after)), std::string(),
                              [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                                if (looked == limit) {
                                  page.more = true;
                                  return false;
                                }
                                const std::optional<EndpointId> id = keys::ParseEndpoint(key);
                                if (!id) return absl::DataLossError("an unknown row in the family endpoints");
                                ASSIGN_OR_RETURN(const bool stale,
                                                 records::HasStaleSecrets(value, sealer_.key_id()));
                                if (stale) page.stale.push_back(*id);
                                page.last = *id;
                                ++looked;
                                return true;
                              }));
  return page;
}

SecretKeyIds RocksDbStore::Secrets() const {
  SecretKeyIds ids;
  ids.newest = sealer_.key_id();
  absl::MutexLock lock(&key_ids_mutex_);
  for (const uint32_t id : key_ids_) {
    if (id != ids.newest) ids.old.push_back(id);
  }
  return ids;
}

absl::Status RocksDbStore::ForgetOldKeys() {
  absl::MutexLock lock(&key_ids_mutex_);
  std::vector<uint32_t> ids;
  if (sealer_.key_id() != 0) ids.push_back(sealer_.key_id());
  if (ids == key_ids_) return absl::OkStatus();
  RETURN_IF_ERROR(ResealPayloadKeys());
  RETURN_IF_ERROR(WriteKeyList(folder_.path(), sealer_, ids));
  key_ids_ = std::move(ids);
  return absl::OkStatus();
}

// The committer only ever adds keys, and none that is here: no write is lost.
absl::Status RocksDbStore::ResealPayloadKeys() {
  rocksdb::WriteBatch batch;
  for (const PayloadKey& key : vault_.keys()) {
    batch.Put(Cf(kMeta), keys::PayloadKeyRow(key.key.id()), records::Encode(key, sealer_));
  }
  if (batch.Count() == 0) return absl::OkStatus();
  rocksdb::WriteOptions durable;
  durable.sync = true;
  return FromRocksDb(db_->Write(durable, &batch), "seal the payload keys anew");
}

// The logs go once all families are flushed. A snapshot older than now would carry what was deleted through
// the compaction; those of reads live briefly. Blob files go with the last table that points into them: so
// all tables are rewritten, and all blobs that live moved out, whatever their age.
absl::Status RocksDbStore::Scour(Scoured what, std::atomic<bool>& stop) {
  const std::unique_lock<std::mutex> files(files_mutex_, std::try_to_lock);
  if (!files.owns_lock()) return absl::UnavailableError("a backup runs, which keeps all files");
  if (what == Scoured::kSecrets) RETURN_IF_ERROR(ResealPayloadKeys());
  const rocksdb::SequenceNumber now = db_->GetLatestSequenceNumber();
  RETURN_IF_ERROR(FromRocksDb(db_->Flush(rocksdb::FlushOptions(), families_), "flush"));
  uint64_t oldest = 0;
  while (db_->GetIntProperty(kOldestSnapshot, &oldest) && oldest != 0 && oldest < now) {
    if (stop) return Stopped();
    std::this_thread::sleep_for(kSnapshotPoll);
  }
  std::vector<Family> families = {kEndpoints, kMeta};
  if (what == Scoured::kPayloads) families = {kEvents, kHistory};
  for (const Family family : families) {
    if (stop) return Stopped();
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
    options.blob_garbage_collection_age_cutoff = 1.0;
    options.canceled = &stop;
    const rocksdb::Status compacted = db_->CompactRange(options, Cf(family), nullptr, nullptr);
    if (compacted.IsIncomplete()) return Stopped();
    RETURN_IF_ERROR(FromRocksDb(compacted, "compact"));
  }
  return absl::OkStatus();
}

}  // namespace hookd
