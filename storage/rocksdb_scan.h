// Bounded walks over the rows of a family, in either direction, and what they may cost.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

#include "storage/rocksdb_reader.h"

namespace hookd {

// What one page may look at: it comes back short then, with a position to go on from.
inline constexpr size_t kScanBudget = 10'000;  // rows
inline constexpr size_t kReadCost = 10;        // rows that a point read or a seek costs as much as
inline constexpr size_t kRowBytes = 4096;      // bytes that cost as much as a row

class ScanBudget {
 public:
  void Row(std::string_view value) { spent_ += 1 + value.size() / kRowBytes; }
  void Seek() { spent_ += kReadCost; }
  void Read(size_t bytes) { spent_ += kReadCost + bytes / kRowBytes; }
  bool Spent() const { return spent_ >= kScanBudget; }

 private:
  size_t spent_ = 0;
};

// The rows of [from, to), in one direction. Keys and values are valid until the next move.
class RowCursor {
 public:
  RowCursor(const RocksDbStore::Reader& reader, Family family, std::string from, std::string to,
            bool backwards, ScanBudget& budget);
  RowCursor(const RowCursor&) = delete;
  RowCursor& operator=(const RowCursor&) = delete;

  void Begin();
  void Next();
  // Begins at the first call, and goes on at each later one.
  void Advance() { std::exchange(begun_, true) ? Next() : Begin(); }
  // Forwards: to the first row not below `key`. Backwards: to the last row below it.
  void Jump(const std::string& key);

  bool Valid() const { return it_ != nullptr && it_->Valid(); }
  // Once it is not valid: OK = there are no more rows.
  absl::Status status() const;
  std::string_view key() const { return it_->key().ToStringView(); }
  std::string_view value() const { return it_->value().ToStringView(); }

 private:
  void Pay();

  const std::string from_;
  const std::string to_;
  const rocksdb::Slice lower_;
  const rocksdb::Slice upper_;
  const bool backwards_;
  ScanBudget& budget_;
  std::unique_ptr<rocksdb::Iterator> it_;  // null = the range is empty
  bool begun_ = false;                     // of Advance
};

// Where a walk over the rows of one group (an endpoint, a subscriber), which lie bucket by bucket between
// those of others, goes on after it met a foreign row. Nullopt = nowhere.
inline std::optional<Bucket> NextBucketOf(Bucket met_in, bool met_is_greater, bool backwards) {
  if (met_is_greater == backwards) return met_in;
  if (met_in == (backwards ? 0 : 0xffffffff)) return std::nullopt;
  return backwards ? met_in - 1 : met_in + 1;
}

}  // namespace hookd
