#include <string>

#include "storage/rocksdb_store_impl.h"

namespace hookd {
namespace {

using Properties = rocksdb::DB::Properties;

constexpr int kLevels = 7;  // RocksDB's default, which every family has

}  // namespace

DatabaseStats RocksDbStore::Database() const {
  const auto whole = [this](const std::string& property) {  // of the database, or of its shared cache
    uint64_t value = 0;
    db_->GetIntProperty(property, &value);
    return value;
  };
  const auto sum = [this](const std::string& property) {  // over the families
    uint64_t value = 0;
    db_->GetAggregatedIntProperty(property, &value);
    return value;
  };
  DatabaseStats stats;
  stats.stalls = listener_->stalls();
  stats.background_errors = sum(Properties::kBackgroundErrors);
  stats.pending_compaction_bytes = sum(Properties::kEstimatePendingCompactionBytes);
  stats.running_compactions = whole(Properties::kNumRunningCompactions);
  stats.running_flushes = whole(Properties::kNumRunningFlushes);
  stats.memtable_bytes = sum(Properties::kCurSizeAllMemTables);
  stats.block_cache_bytes = whole(Properties::kBlockCacheUsage);
  stats.table_reader_bytes = sum(Properties::kEstimateTableReadersMem);
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    for (int level = 0; level < kLevels; ++level) {
      std::string files;
      if (db_->GetProperty(family, Properties::kNumFilesAtLevelPrefix + std::to_string(level), &files)) {
        stats.table_files += std::stoull(files);
      }
    }
  }
  stats.blob_files = sum(Properties::kNumBlobFiles);
  stats.blob_garbage_bytes = sum(Properties::kLiveBlobFileGarbageSize);
  return stats;
}

}  // namespace hookd
