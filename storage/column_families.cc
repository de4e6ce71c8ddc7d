#include "storage/column_families.h"

#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

namespace hookd {
namespace {

constexpr size_t kWriteBuffers = 128u << 20;  // all families together
constexpr size_t kBlobThreshold = 4096;       // payloads of this size and up go to blob files
// Few shards: by default each holds 1 MiB of the cache, and a filter block of many small rows, which is
// larger, is then read and thrown away by every single read (of a lane: 118 us instead of 6).
constexpr int kCacheShardBits = 2;
constexpr uint64_t kSafetyNetSeconds =
    6 * 3600;  // at the latest, drained key ranges are compacted after this

rocksdb::ColumnFamilyOptions Small(const std::shared_ptr<rocksdb::TableFactory>& table) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory = table;
  family.write_buffer_size = 16u << 20;
  family.max_write_buffer_number = 3;
  family.target_file_size_base = 8u << 20;
  family.max_bytes_for_level_base = 64u << 20;
  family.level_compaction_dynamic_level_bytes = true;
  family.compression = rocksdb::kLZ4Compression;
  return family;
}

// Rows that live briefly: without help their tombstones make the next seek crawl.
rocksdb::ColumnFamilyOptions Drained(const std::shared_ptr<rocksdb::TableFactory>& table) {
  rocksdb::ColumnFamilyOptions family = Small(table);
  family.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048, 0.5));
  family.ttl = kSafetyNetSeconds;
  family.periodic_compaction_seconds = kSafetyNetSeconds;
  return family;
}

rocksdb::ColumnFamilyOptions Payloads(const std::shared_ptr<rocksdb::TableFactory>& table) {
  rocksdb::ColumnFamilyOptions family = Small(table);
  family.write_buffer_size = 64u << 20;
  family.enable_blob_files = true;
  family.min_blob_size = kBlobThreshold;
  family.blob_file_size = 64u << 20;
  family.blob_compression_type = rocksdb::kLZ4Compression;
  family.enable_blob_garbage_collection = true;
  family.blob_garbage_collection_age_cutoff = 0.5;
  family.blob_garbage_collection_force_threshold = 0.5;
  return family;
}

}  // namespace

rocksdb::DBOptions DatabaseOptions(const RocksDbOptions& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) db.env = options.env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  // The default mode drops synced records behind a damaged one without a word.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  db.max_total_wal_size = options.wal_bytes;
  db.max_background_jobs = 2;
  db.max_open_files = -1;  // `ttl` and periodic compaction ask for it
  db.bytes_per_sync = 1u << 20;
  db.wal_bytes_per_sync = 512u << 10;
  db.avoid_unnecessary_blocking_io = true;
  db.keep_log_file_num = 5;
  db.max_log_file_size = 16u << 20;
  db.max_manifest_file_size = 64u << 20;
  db.stats_dump_period_sec = 0;
  // Of whole files, kept beside their names: a backup compares with them, and need not read a blob file to
  // know it again.
  db.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(kWriteBuffers);
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> ColumnFamilies(const RocksDbOptions& options) {
  rocksdb::BlockBasedTableOptions table_options;
  table_options.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, kCacheShardBits, false, 0.5);
  table_options.cache_index_and_filter_blocks = true;
  table_options.cache_index_and_filter_blocks_with_high_priority = true;
  table_options.pin_l0_filter_and_index_blocks_in_cache = true;
  table_options.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table_options.format_version = 5;
  table_options.block_size = 8u << 10;
  const std::shared_ptr<rocksdb::TableFactory> table(rocksdb::NewBlockBasedTableFactory(table_options));

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, Small(table));
  families.emplace_back("meta", Small(table));
  families.emplace_back("subscribers", Small(table));
  families.emplace_back("endpoints", Small(table));
  families.emplace_back("lanes", Small(table));
  families.emplace_back("queue", Drained(table));
  families.emplace_back("parked", Drained(table));
  families.emplace_back("events", Payloads(table));
  families.emplace_back("history", Small(table));
  families.emplace_back("idempotency", Small(table));
  families.emplace_back("changes", Small(table));
  families.emplace_back("tokens", Small(table));
  families.emplace_back("audit", Small(table));
  return families;
}

}  // namespace hookd
