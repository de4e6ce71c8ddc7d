#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "base/check.h"
#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/ballast.h"
#include "storage/durable_file.h"
#include "storage/key_codec.h"
#include "storage/key_list.h"
#include "storage/log_files.h"
#include "storage/migrations.h"
#include "storage/restore.h"
#include "storage/rocksdb_status.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

constexpr size_t kRecoveryReadahead = 2u << 20;

// What opening has to write out as tables.
uint64_t LogBytes(const std::string& db_path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(db_path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().extension() != ".log") continue;
    const uintmax_t size = it->file_size(error);
    if (!error) bytes += size;
  }
  return bytes;
}

bool HasRoom(const DataFolder& folder, uint64_t bytes) {
  const absl::StatusOr<DiskSpace> disk = SpaceOf(folder.path());
  return !disk.ok() || disk->free_bytes >= bytes;
}

rocksdb::ReadOptions RecoveryScan() {
  rocksdb::ReadOptions scan;
  scan.fill_cache = false;
  scan.readahead_size = kRecoveryReadahead;
  return scan;
}

// RocksDB insists that every family is opened. Without a database there are none.
absl::Status CheckFamilies(const RocksDbOptions& options, const std::string& db_path) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(DatabaseOptions(options), db_path, &names).ok())
    return absl::OkStatus();
  for (const rocksdb::ColumnFamilyDescriptor& family : ColumnFamilies(options))
    std::erase(names, family.name);
  if (names.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat(options.path, " has rows of a kind that this hookd does not know (", names.front(),
             "): run the hookd that wrote it, or a newer one"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeliveryStore>> OpenRocksDbStore(const RocksDbOptions& options, const Clock&) {
  ASSIGN_OR_RETURN(DataFolder folder, DataFolder::Open(options.path));
  RETURN_IF_ERROR(CheckSecretKeys(options.secrets));
  Sealer sealer(options.secrets);
  // Before the database writes anything.
  ASSIGN_OR_RETURN(std::vector<uint32_t> key_ids, CheckKeyList(options.path, sealer));
  RETURN_IF_ERROR(CheckFamilies(options, folder.db_path()));
  RETURN_IF_ERROR(MakeFolder(folder.db_path()));  // RocksDB would not make its name durable
  ASSIGN_OR_RETURN(const std::vector<std::string> mended, MendLogs(folder.db_path()));
  for (const std::string& note : mended) {
    if (options.on_mended != nullptr) options.on_mended(note);
  }
  auto listener = std::make_shared<DatabaseListener>(options.path, options.on_failure);
  rocksdb::DBOptions db_options = DatabaseOptions(options);
  db_options.listeners.push_back(listener);
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  const auto open = [&] {
    return FromRocksDb(
        rocksdb::DB::Open(db_options, folder.db_path(), ColumnFamilies(options), &families, &db),
        Concat("open ", options.path));
  };

  absl::Status listed;

  // Where the log surely does not fit, RocksDB may end the process instead of failing.
  bool freed = !HasRoom(folder, LogBytes(folder.db_path())) && FreeBallast(folder.ballast_path());
  absl::Status opened = open();
  if (!opened.ok() && !freed && !HasRoom(folder, options.wal_bytes) && FreeBallast(folder.ballast_path())) {
    freed = true;
    opened = open();
  }
  RETURN_IF_ERROR(opened);
  std::unique_ptr<rocksdb::DB> owned(db);
  // Before anything is sealed.
  const uint32_t newest = sealer.key_id();
  if (newest != 0 && (key_ids.empty() || key_ids.front() != newest)) {
    std::erase(key_ids, newest);
    key_ids.insert(key_ids.begin(), newest);
    listed = WriteKeyList(options.path, sealer, key_ids);
  }
  absl::Status ready = Migrate(Migrations(), folder, *owned, families);
  absl::StatusOr<uint32_t> restored = 0;
  if (ready.ok()) restored = BeginEpoch(options.path, *owned, families[kMeta]);
  auto store = std::make_unique<RocksDbStore>(std::move(folder), std::move(sealer), options.seal_payloads,
                                              std::move(key_ids), std::move(listener), std::move(owned),
                                              std::move(families), restored.value_or(0));
  RETURN_IF_ERROR(listed);  // the store closes the database
  RETURN_IF_ERROR(ready);
  RETURN_IF_ERROR(restored.status());
  if (!freed) RETURN_IF_ERROR(store->KeepBallast(options.ballast_bytes));
  return store;
}

RocksDbStore::RocksDbStore(DataFolder folder, Sealer sealer, bool seal_payloads,
                           std::vector<uint32_t> key_ids, std::shared_ptr<DatabaseListener> listener,
                           std::unique_ptr<rocksdb::DB> db,
                           std::vector<rocksdb::ColumnFamilyHandle*> families, uint32_t restored_backup)
    : folder_(std::move(folder)),
      sealer_(std::move(sealer)),
      vault_(seal_payloads),
      key_ids_(std::move(key_ids)),
      listener_(std::move(listener)),
      db_(std::move(db)),
      families_(std::move(families)),
      restored_backup_(restored_backup),
      lanes_([this](EndpointId endpoint) { return ReadLane(endpoint); }) {
  HOOKD_CHECK(families_.size() == kFamilyCount, "column families and their enum have drifted apart");
}

RocksDbStore::~RocksDbStore() {
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  db_->Close();
}

absl::StatusOr<std::optional<LaneState>> RocksDbStore::ReadLane(EndpointId endpoint) const {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), Cf(kLanes), keys::OfEndpoint(endpoint), &value);
  if (status.IsNotFound()) return std::nullopt;
  RETURN_IF_ERROR(FromRocksDb(status, "read a lane"));
  ASSIGN_OR_RETURN(const LaneState lane, records::DecodeLane(value));
  return lane;
}

absl::StatusOr<DeliveryStore::Recovered> RocksDbStore::Recover() {
  Recovered recovered;
  RETURN_IF_ERROR(RecoverMeta(recovered));
  RETURN_IF_ERROR(CountSubscribers(recovered));
  RETURN_IF_ERROR(RecoverLanes(recovered));
  RETURN_IF_ERROR(RecoverAudit(recovered));
  recovered.next_endpoint_number = state_.next_endpoint_number;
  recovered.wall_high_water_ms = state_.wall_high_water_ms;
  recovered.epoch = state_.epoch;
  recovered.restored_backup = restored_backup_;
  recovered.next_job = state_.next_job;
  last_commit_ = state_.commit;
  pending_ = lanes_.pending();
  return recovered;
}

absl::Status RocksDbStore::RecoverMeta(Recovered& recovered) {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(RecoveryScan(), Cf(kMeta)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::string_view key = it->key().ToStringView();
    const std::string_view value = it->value().ToStringView();
    if (key == keys::State()) {
      ASSIGN_OR_RETURN(state_, records::DecodeState(value));
    } else if (key == keys::OperationsRow()) {
      ASSIGN_OR_RETURN(recovered.operations, records::DecodeOperations(value));
    } else if (key == keys::MailCursorRow()) {
      ASSIGN_OR_RETURN(recovered.mail_cursor, records::DecodeMailCursor(value));
    } else if (const std::optional<Bucket> number = keys::ParseBucketRow(key)) {
      ASSIGN_OR_RETURN(const BucketView bucket, records::DecodeBucket(*number, value));
      buckets_.Load(bucket);
    } else if (const std::optional<Bucket> hour = keys::ParseChangesHour(key)) {
      const std::optional<uint64_t> first = keys::ParseNumber(value);
      if (!first) return absl::DataLossError("an hour of changes is damaged");
      change_hours_.Load({*hour, *first});
    } else if (const std::optional<uint32_t> key_id = keys::ParsePayloadKeyRow(key)) {
      ASSIGN_OR_RETURN(PayloadKey payload_key, records::DecodePayloadKey(*key_id, value, sealer_));
      vault_.Load(std::move(payload_key));
    } else if (const std::optional<uint64_t> id = keys::ParseJobRow(key)) {
      ASSIGN_OR_RETURN(Job job, records::DecodeJob(*id, value));
      recovered.jobs.push_back(std::move(job));
    } else {
      return absl::DataLossError("an unknown row in the family meta");
    }
  }
  return FromRocksDb(it->status(), "recover");
}

absl::Status RocksDbStore::CountSubscribers(Recovered& recovered) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(RecoveryScan(), Cf(kSubscribers)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const std::optional<keys::SubscriberKey> key = keys::ParseSubscriber(it->key().ToStringView());
    if (!key) return absl::DataLossError("an unknown row in the family subscribers");
    if (!key->endpoint) ++recovered.subscribers;
  }
  return FromRocksDb(it->status(), "recover");
}

absl::StatusOr<Subscriber> RocksDbStore::SubscriberOf(const std::string& id) const {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), Cf(kSubscribers), keys::OfSubscriber(id), &value);
  if (status.IsNotFound()) return Subscriber();
  RETURN_IF_ERROR(FromRocksDb(status, "recover"));
  return records::DecodeSubscriber(value);
}

// Lanes and endpoints lie in the same order; of endpoints only those of active lanes are read. Every endpoint
// has a lane, and every lane that is not deleted an endpoint: counting lanes counts both.
absl::Status RocksDbStore::RecoverLanes(Recovered& recovered) {
  const WallMs now = state_.wall_high_water_ms;
  absl::flat_hash_map<std::string, Subscriber> subscribers;  // that hold something, or nothing
  const std::unique_ptr<rocksdb::Iterator> lanes(db_->NewIterator(RecoveryScan(), Cf(kLanes)));
  const std::unique_ptr<rocksdb::Iterator> endpoints(db_->NewIterator(RecoveryScan(), Cf(kEndpoints)));
  for (lanes->SeekToFirst(); lanes->Valid(); lanes->Next()) {
    const std::optional<EndpointId> id = keys::ParseEndpoint(lanes->key().ToStringView());
    if (!id) return absl::DataLossError("an unknown row in the family lanes");
    ActiveLane active;
    active.id = *id;
    ASSIGN_OR_RETURN(active.lane, records::DecodeLane(lanes->value().ToStringView()));
    const LaneState& lane = active.lane;
    if (!lane.deleted) {
      ++recovered.endpoints;
      if (lane.endpoint_disabled) ++recovered.endpoints_disabled;
      if (lane.endpoint_paused && !lane.endpoint_disabled) ++recovered.endpoints_paused;
      if (lane.endpoint_keys_end_ms != 0) recovered.keys_ending.emplace_back(lane.endpoint_keys_end_ms, *id);
    }
    const bool busy = lane.deleted || lane.pending() > 0;
    if (!busy && lane.rate_tat_ms <= now && lane.hold_until_ms <= now) continue;
    if (busy) lanes_.Load(*id, lane);

    if (!lane.deleted) {
      if (endpoints->Valid()) endpoints->Next();  // often the next one
      if (!endpoints->Valid() || endpoints->key() != lanes->key()) endpoints->Seek(lanes->key());
      RETURN_IF_ERROR(FromRocksDb(endpoints->status(), "recover"));
      if (!endpoints->Valid() || endpoints->key() != lanes->key()) {
        return absl::DataLossError(Concat("a lane without its endpoint: ", id->ToString()));
      }
      ASSIGN_OR_RETURN(Endpoint endpoint,
                       records::DecodeEndpoint(*id, endpoints->value().ToStringView(), sealer_));
      const auto [subscriber, first] = subscribers.try_emplace(endpoint.subscriber_id);
      if (first) {
        ASSIGN_OR_RETURN(subscriber->second, SubscriberOf(endpoint.subscriber_id));
      }
      active.hold = HoldOf(subscriber->second, endpoint);
      active.endpoint = std::make_shared<const Endpoint>(std::move(endpoint));
    }
    recovered.lanes.push_back(std::move(active));
  }
  return FromRocksDb(lanes->status(), "recover");
}

}  // namespace hookd
