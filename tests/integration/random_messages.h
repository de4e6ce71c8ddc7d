// Requests made by chance from their descriptors: some that could be meant, others as wrong as their types
// let them be.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <google/protobuf/message.h>

namespace hookd::testing {

// Ids and page tokens of answers, to be asked about. Any thread.
class KnownValues {
 public:
  static constexpr size_t kMaxOfKind = 64;  // beyond it one of them goes

  void Add(const std::string& kind, const std::string& value);
  // Every id and page token that is in it.
  void Learn(const google::protobuf::Message& answer);
  // Of that kind, or of any; "" = none is known.
  std::string Pick(const std::string& kind, std::mt19937_64& random);

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::vector<std::string>> values_ ABSL_GUARDED_BY(mutex_);
  size_t added_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One thread.
class RandomMessages {
 public:
  // Stands in URLs' queries, secrets, headers and payloads: no error may show it.
  static constexpr char kMarker[] = "hunter2hunter2";

  // `urls`: that can be sent to.
  RandomMessages(uint64_t seed, KnownValues& known, std::vector<std::string> urls)
      : random_(seed), known_(known), urls_(std::move(urls)) {}

  // Half of the time every value is one that could be meant.
  void Fill(google::protobuf::Message& message);
  // Bytes that need not be text.
  std::string Bytes(size_t at_most);
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Chance(double of) { return std::uniform_real_distribution<>(0, 1)(random_) < of; }

 private:
  void FillFields(google::protobuf::Message& message, int depth);
  void SetOne(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field, int depth);
  void FillWellKnown(google::protobuf::Message& message);
  bool IsWellKnown(const google::protobuf::Message& message) const;
  int64_t Integer();
  std::string Text(const google::protobuf::FieldDescriptor& field);
  std::string Meant(const google::protobuf::FieldDescriptor& field);
  std::string Wild();
  template <typename T>
  const T& Of(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

  std::mt19937_64 random_;
  KnownValues& known_;
  const std::vector<std::string> urls_;
  bool meant_ = true;
  double filled_ = 0.5;
  std::vector<std::string> paths_;  // of fields, for masks
};

}  // namespace hookd::testing
