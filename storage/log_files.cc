#include "storage/log_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <rocksdb/file_checksum.h>

#include "base/concat.h"
#include "base/status_macros.h"

namespace hookd {
namespace {

// The format of RocksDB's logs: blocks, in them physical records of a header (masked CRC32C of type and
// content, length, type) and a content. A record that does not fit into its block goes on in the next ones.
constexpr size_t kBlock = 32'768;
constexpr size_t kHeader = 7;
enum RecordType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// What a disk writes whole or not at all.
constexpr uint64_t kSector = 512;
// So many zeros at the edge of a record may be its own.
constexpr uint64_t kOwnZeros = 3;

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return number;
}

class Checksum {
 public:
  // As it is stored.
  uint32_t Of(std::string_view type_and_content) const {
    const std::unique_ptr<rocksdb::FileChecksumGenerator> generator =
        factory_->CreateFileChecksumGenerator(rocksdb::FileChecksumGenContext());
    generator->Update(type_and_content.data(), type_and_content.size());
    generator->Finalize();
    const std::string big_endian = generator->GetChecksum();
    const uint32_t crc = LittleEndian(std::string(big_endian.rbegin(), big_endian.rend()));
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  }

 private:
  const std::shared_ptr<rocksdb::FileChecksumGenFactory> factory_ =
      rocksdb::GetFileChecksumGenCrc32cFactory();
};

class File {
 public:
  static absl::StatusOr<File> Open(const std::string& path) {
    File file(path, open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (file.fd_ < 0) return absl::ErrnoToStatus(errno, Concat("open ", path));
    const off_t size = lseek(file.fd_, 0, SEEK_END);
    if (size < 0) return absl::ErrnoToStatus(errno, Concat("size of ", path));
    file.size_ = static_cast<uint64_t>(size);
    return file;
  }
  File(File&& other) noexcept : path_(other.path_), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // At most `bytes`, less at the end alone.
  absl::StatusOr<std::string> Read(uint64_t offset, size_t bytes) const {
    std::string text(std::min<uint64_t>(bytes, size_ - std::min(size_, offset)), '\0');
    for (size_t done = 0; done < text.size();) {
      const ssize_t read =
          pread(fd_, text.data() + done, text.size() - done, static_cast<off_t>(offset + done));
      if (read < 0 && errno == EINTR) continue;
      if (read <= 0) return absl::ErrnoToStatus(read < 0 ? errno : EIO, Concat("read ", path_));
      done += static_cast<size_t>(read);
    }
    return text;
  }
  absl::Status Cut(uint64_t size) const {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0 || fsync(fd_) != 0) {
      return absl::ErrnoToStatus(errno, Concat("cut ", path_));
    }
    return absl::OkStatus();
  }

 private:
  File(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  uint64_t size_ = 0;
};

struct Physical {
  RecordType type = kFull;
  size_t size = 0;  // with its header
};

// Of one log.
class Walk {
 public:
  explicit Walk(const File& file) : file_(file) {}

  // Where the first record begins that is not whole; nullopt = all are.
  absl::StatusOr<std::optional<uint64_t>> FindDamage() {
    uint64_t record = 0;
    bool open = false;  // a record goes on in the next block
    for (uint64_t at = 0; at < file_.size(); at += kBlock) {
      ASSIGN_OR_RETURN(const std::string block, file_.Read(at, kBlock));
      for (size_t offset = 0; offset < block.size();) {
        const std::string_view rest = std::string_view(block).substr(offset);
        const bool trailer = block.size() == kBlock && rest.size() < kHeader;
        if (trailer) break;
        damaged_at_ = at + offset;
        const std::optional<Physical> physical = Parse(rest);
        if (!open) record = at + offset;
        if (!physical) return record;
        const bool begins = physical->type == kFull || physical->type == kFirst;
        if (begins == open) return record;
        open = physical->type == kFirst || physical->type == kMiddle;
        offset += physical->size;
      }
    }
    if (open) {
      damaged_at_ = file_.size();
      return record;
    }
    return std::nullopt;
  }

  // Behind the damage a record begins that is whole: the log went on.
  absl::StatusOr<bool> GoesOn() const {
    for (uint64_t at = damaged_at_ / kBlock * kBlock; at < file_.size(); at += kBlock) {
      ASSIGN_OR_RETURN(const std::string block, file_.Read(at, kBlock));
      const size_t first = at <= damaged_at_ ? damaged_at_ - at + 1 : 0;
      for (size_t offset = first; offset + kHeader <= block.size(); ++offset) {
        const std::optional<Physical> physical = Parse(std::string_view(block).substr(offset));
        if (!physical) continue;
        if (physical->type == kFull || physical->type == kFirst) return true;
        offset += physical->size - 1;
      }
    }
    return false;
  }

  // As a power loss leaves what was being written: it stops in the middle, or sectors of it are missing.
  absl::StatusOr<bool> IsTorn(uint64_t record, bool& stops) const {
    stops = false;
    const uint64_t block_end = (damaged_at_ / kBlock + 1) * kBlock;
    ASSIGN_OR_RETURN(const std::string rest,
                     file_.Read(damaged_at_, static_cast<size_t>(block_end - damaged_at_)));
    if (damaged_at_ + rest.size() == file_.size()) {
      if (rest.size() < kHeader) {
        stops = true;
        return true;
      }
      const size_t length = LittleEndian(std::string_view(rest).substr(4, 2));
      // Whole but for its length is damage.
      if (kHeader + length > rest.size() && damaged_at_ + kHeader + length <= block_end &&
          checksum_.Of(std::string_view(rest).substr(6)) !=
              LittleEndian(std::string_view(rest).substr(0, 4))) {
        stops = true;
        return true;
      }
    }
    for (uint64_t at = record; at < file_.size();) {
      const uint64_t end = std::min((at / kSector + 1) * kSector, file_.size());
      ASSIGN_OR_RETURN(const std::string sector, file_.Read(at, static_cast<size_t>(end - at)));
      const bool zeros = std::all_of(sector.begin(), sector.end(), [](char c) { return c == '\0'; });
      if (zeros && sector.size() > kOwnZeros) return true;
      at = end;
    }
    return false;
  }

  uint64_t damaged_at() const { return damaged_at_; }

 private:
  // The one at the beginning of `rest`, which ends with its block or the file; nullopt = it is not whole.
  std::optional<Physical> Parse(std::string_view rest) const {
    if (rest.size() < kHeader) return std::nullopt;
    const auto type = static_cast<uint8_t>(rest[6]);
    const size_t size = kHeader + LittleEndian(rest.substr(4, 2));
    if (type < kFull || type > kLast || size > rest.size()) return std::nullopt;
    if (checksum_.Of(rest.substr(6, size - 6)) != LittleEndian(rest.substr(0, 4))) return std::nullopt;
    return Physical{static_cast<RecordType>(type), size};
  }

  const File& file_;
  const Checksum checksum_;
  uint64_t damaged_at_ = 0;  // the first physical record that is not whole, or that is out of its place
};

// Empty = nothing was cut.
absl::StatusOr<std::string> Mend(const std::string& path) {
  ASSIGN_OR_RETURN(const File file, File::Open(path));
  Walk walk(file);
  ASSIGN_OR_RETURN(const std::optional<uint64_t> record, walk.FindDamage());
  if (!record) return std::string();
  ASSIGN_OR_RETURN(const bool goes_on, walk.GoesOn());
  bool stops = false;
  ASSIGN_OR_RETURN(const bool torn, walk.IsTorn(*record, stops));
  if (goes_on || !torn) {
    return absl::DataLossError(
        Concat(path, " is damaged at byte ", walk.damaged_at(),
               ": what was kept behind it cannot be read; restore the folder from a backup"));
  }
  if (stops) return std::string();  // RocksDB does likewise
  RETURN_IF_ERROR(file.Cut(*record));
  return Concat(path, ": the last write, ", file.size() - *record,
                " bytes, was torn by a power loss and is cut off; nobody was told that it was kept");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MendLogs(const std::string& db_path) {
  std::vector<std::string> logs;
  bool holds_something = false;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(db_path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string extension = it->path().extension();
    std::error_code gone;
    const bool empty = it->file_size(gone) == 0 || gone;
    if (extension == ".log" && !empty) logs.push_back(it->path());
    holds_something |= !empty && (extension == ".log" || extension == ".sst" || extension == ".blob");
  }
  if (error) {
    return error == std::errc::no_such_file_or_directory
               ? absl::StatusOr<std::vector<std::string>>(std::vector<std::string>())
               : absl::ErrnoToStatus(error.value(), Concat("list ", db_path));
  }
  const std::string current = Concat(db_path, "/CURRENT");
  std::string manifest;
  if (std::filesystem::exists(current, error)) {
    std::ifstream file(current);
    std::getline(file, manifest);
  } else if (holds_something) {
    return absl::DataLossError(Concat(current, " is missing: restore the folder from a backup"));
  }
  // A name that is none is RocksDB's to refuse.
  if (manifest.starts_with("MANIFEST-")) {
    const std::string path = Concat(db_path, "/", manifest);
    if (std::filesystem::exists(path, error)) logs.push_back(path);
  }
  std::sort(logs.begin(), logs.end());
  std::vector<std::string> notes;
  for (const std::string& log : logs) {
    ASSIGN_OR_RETURN(std::string note, Mend(log));
    if (!note.empty()) notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace hookd
