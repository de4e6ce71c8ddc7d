#include <optional>
#include <string>

#include <absl/status/status.h>

#include "base/concat.h"
#include "base/status_macros.h"
#include "storage/change_log.h"
#include "storage/key_codec.h"
#include "storage/rocksdb_reader.h"
#include "storage/rocksdb_store_impl.h"

namespace hookd {

absl::StatusOr<uint64_t> RocksDbStore::OldestKeptCommit() const {
  const std::string from = keys::ChangesHours();
  const std::string to = keys::After(from);
  const rocksdb::Slice upper(to);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, Cf(kMeta)));
  it->Seek(from);
  RETURN_IF_ERROR(FromRocksDb(it->status(), "read"));
  if (!it->Valid()) return 0;  // nothing was ever committed
  const std::optional<uint64_t> first = keys::ParseNumber(it->value().ToStringView());
  if (!first) return absl::DataLossError("an hour of changes is damaged");
  return *first;
}

absl::StatusOr<ChangePage> RocksDbStore::ReadChanges(uint64_t after_commit, size_t limit) const {
  const Reader reader(*this);
  records::StoreState state;
  std::string value;
  ASSIGN_OR_RETURN(const bool committed, reader.Get(kMeta, keys::State(), value));
  if (committed) {
    ASSIGN_OR_RETURN(state, records::DecodeState(value));
  }
  if (after_commit > state.commit) return LaterThanNewest(state.commit);
  ChangePage page;
  page.commit = after_commit;
  const auto row = [&](std::string_view key, std::string_view bytes) -> absl::StatusOr<bool> {
    const std::optional<uint64_t> commit = keys::ParseCommit(key);
    if (!commit) return absl::DataLossError("an unknown row in the family changes");
    RETURN_IF_ERROR(DecodeChanges(bytes, page.changes));
    page.commit = *commit;
    page.more = page.changes.size() >= limit && *commit < state.commit;
    return !page.more;
  };
  RETURN_IF_ERROR(reader.Scan(kChanges, keys::OfCommit(after_commit + 1), "", row));
  if (!page.more) page.commit = state.commit;
  // Last, and not in the snapshot: whole tables may have gone from under it.
  ASSIGN_OR_RETURN(const uint64_t oldest, OldestKeptCommit());
  if (after_commit + 1 < oldest) return OlderThanKept(oldest);
  return page;
}

}  // namespace hookd
