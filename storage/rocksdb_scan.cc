#include "storage/rocksdb_scan.h"

#include <utility>

namespace hookd {

RowCursor::RowCursor(const RocksDbStore::Reader& reader, Family family, std::string from, std::string to,
                     bool backwards, ScanBudget& budget)
    : from_(std::move(from)),
      to_(std::move(to)),
      lower_(from_),
      upper_(to_),
      backwards_(backwards),
      budget_(budget) {
  if (from_ < to_) it_ = reader.NewIterator(family, &lower_, &upper_);
}

void RowCursor::Begin() {
  if (it_ == nullptr) return;
  budget_.Seek();
  if (backwards_) {
    it_->SeekToLast();
  } else {
    it_->Seek(lower_);
  }
  Pay();
}

void RowCursor::Next() {
  if (backwards_) {
    it_->Prev();
  } else {
    it_->Next();
  }
  Pay();
}

void RowCursor::Jump(const std::string& key) {
  if (it_ == nullptr) return;
  budget_.Seek();
  if (!backwards_) {
    it_->Seek(key);
  } else {
    it_->SeekForPrev(key);
    if (it_->Valid() && it_->key() == key) it_->Prev();
  }
  Pay();
}

void RowCursor::Pay() {
  if (it_->Valid()) budget_.Row(value());
}

absl::Status RowCursor::status() const {
  return it_ == nullptr ? absl::OkStatus() : FromRocksDb(it_->status(), "scan");
}

}  // namespace hookd
