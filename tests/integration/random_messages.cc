#include "tests/integration/random_messages.h"

#include <cmath>
#include <limits>
#include <set>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace hookd::testing {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMaxDepth = 6;
constexpr char kPageToken[] = "page_token";
constexpr char kSubscriber[] = "subscriber";

// By what the id begins with, as hookd makes them; else it is the platform's own.
std::string KindOf(const std::string& value) {
  for (const char* kind : {"ep", "evt", "dlv", "job", "bin", "tok"}) {
    if (absl::StartsWith(value, absl::StrCat(kind, "_"))) return kind;
  }
  return kSubscriber;
}

// The kind that a field asks for, by its name or by what it is a field of.
std::string KindAsked(const FieldDescriptor& field) {
  const std::string name =
      absl::StrCat(field.name(), " ",
                   field.name() == "id" || field.name() == "ids" || field.name() == "name"
                       ? field.containing_type()->name()
                       : "");
  const auto has = [&name](const char* word) {
    return absl::StrContains(name, word) || absl::StrContains(absl::AsciiStrToLower(name), word);
  };
  if (has("endpoint")) return "ep";
  if (has("deliver")) return "dlv";
  if (has("job")) return "job";
  if (has("bin") || has("captured")) return "bin";
  if (has("token")) return "tok";
  if (has("event")) return "evt";
  return kSubscriber;
}

bool IsId(const FieldDescriptor& field) {
  return field.name() == "id" || field.name() == "ids" || absl::EndsWith(field.name(), "_id") ||
         absl::EndsWith(field.name(), "_ids");
}

// What a request is about is there more often than not.
bool IsNeeded(const FieldDescriptor& field, int depth) {
  static const std::set<std::string, std::less<>> kNames = {"url", "type", "payload", "role", "update_mask"};
  return IsId(field) || kNames.contains(field.name()) ||
         (depth == 0 && field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE);
}

bool IsPosition(const FieldDescriptor& field) {
  return absl::EndsWith(field.name(), kPageToken) || field.name() == "cursor";
}

}  // namespace

void KnownValues::Add(const std::string& kind, const std::string& value) {
  if (value.empty() || value.size() > 4096) return;
  const absl::MutexLock lock(&mutex_);
  std::vector<std::string>& of_kind = values_[kind];
  ++added_;
  if (of_kind.size() < kMaxOfKind) {
    of_kind.push_back(value);
  } else {
    of_kind[added_ % kMaxOfKind] = value;
  }
}

void KnownValues::Learn(const Message& answer) {
  const Reflection& reflection = *answer.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(answer, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(answer, field) : 1;
    for (int i = 0; i < count && i < 16; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Learn(field->is_repeated() ? reflection.GetRepeatedMessage(answer, field, i)
                                   : reflection.GetMessage(answer, field));
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string value = field->is_repeated() ? reflection.GetRepeatedString(answer, field, i)
                                                       : reflection.GetString(answer, field);
        if (IsPosition(*field)) Add(kPageToken, value);
        if (IsId(*field)) Add(KindOf(value), value);
      }
    }
  }
}

std::string KnownValues::Pick(const std::string& kind, std::mt19937_64& random) {
  const absl::MutexLock lock(&mutex_);
  if (values_.empty()) return "";
  auto found = values_.find(kind);
  if (found == values_.end())
    found = std::next(values_.begin(), static_cast<long>(random() % values_.size()));
  return found->second[random() % found->second.size()];
}

void RandomMessages::Fill(Message& message) {
  meant_ = Chance(0.5);
  filled_ = std::vector<double>{0, 0.05, 0.3, 0.9}[Below(4)];
  paths_.clear();
  if (!meant_) paths_ = {"*", "", "nothing", "policy.", "id"};
  FillFields(message, 0);
}

void RandomMessages::FillFields(Message& message, int depth) {
  if (IsWellKnown(message)) return FillWellKnown(message);
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (depth == 1) paths_.push_back(field.name());
    // A choice of several has to stay one now and then.
    const double needed = field.name() == "id" || !IsId(field) ? 0.9 : 0.6;
    const double chance = IsNeeded(field, depth) ? std::max(filled_, needed) : filled_;
    if (depth >= kMaxDepth || !Chance(chance)) continue;
    const int count = field.is_repeated() ? static_cast<int>(Below(meant_ ? 3 : Chance(0.05) ? 2000 : 6)) : 1;
    for (int k = 0; k < count; ++k) SetOne(message, field, depth);
  }
}

void RandomMessages::SetOne(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& to = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return FillFields(list ? *to.AddMessage(&message, &field) : *to.MutableMessage(&message, &field),
                        depth + 1);
    case FieldDescriptor::CPPTYPE_STRING: {
      const bool bytes =
          field.type() == FieldDescriptor::TYPE_BYTES && (!meant_ || field.name() != "payload");
      std::string text = bytes ? Bytes(64) : Text(field);
      return list ? to.AddString(&message, &field, std::move(text))
                  : to.SetString(&message, &field, std::move(text));
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumDescriptor& type = *field.enum_type();
      const int known =
          type.value(static_cast<int>(Below(static_cast<uint64_t>(type.value_count()))))->number();
      const int value = meant_ || Chance(0.5) ? known : static_cast<int>(Integer());
      return list ? to.AddEnumValue(&message, &field, value) : to.SetEnumValue(&message, &field, value);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return list ? to.AddBool(&message, &field, Chance(0.5)) : to.SetBool(&message, &field, Chance(0.5));
    case FieldDescriptor::CPPTYPE_INT32: {
      const auto value = static_cast<int32_t>(Integer());
      return list ? to.AddInt32(&message, &field, value) : to.SetInt32(&message, &field, value);
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto value = static_cast<uint32_t>(Integer());
      return list ? to.AddUInt32(&message, &field, value) : to.SetUInt32(&message, &field, value);
    }
    case FieldDescriptor::CPPTYPE_INT64:
      return list ? to.AddInt64(&message, &field, Integer()) : to.SetInt64(&message, &field, Integer());
    case FieldDescriptor::CPPTYPE_UINT64: {
      const auto value = static_cast<uint64_t>(Integer());
      return list ? to.AddUInt64(&message, &field, value) : to.SetUInt64(&message, &field, value);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const double value = meant_ ? static_cast<double>(Below(20)) / 10
                                  : Of<double>({NAN, INFINITY, -INFINITY, 1e308, -1e-308, -1, 0.5, 1e18});
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        return list ? to.AddDouble(&message, &field, value) : to.SetDouble(&message, &field, value);
      }
      const auto narrow = static_cast<float>(value);
      return list ? to.AddFloat(&message, &field, narrow) : to.SetFloat(&message, &field, narrow);
    }
  }
}

bool RandomMessages::IsWellKnown(const Message& message) const {
  const std::string& name = message.GetDescriptor()->full_name();
  return name == "google.protobuf.Duration" || name == "google.protobuf.Timestamp" ||
         name == "google.protobuf.FieldMask";
}

void RandomMessages::FillWellKnown(Message& message) {
  const auto& type = *message.GetDescriptor();
  const Reflection& to = *message.GetReflection();
  if (type.name() == "FieldMask") {
    const uint64_t count = paths_.empty() ? 0 : Below(meant_ ? 3 : Chance(0.05) ? 5000 : 8);
    for (uint64_t i = 0; i < count; ++i)
      to.AddString(&message, type.field(0), meant_ || Chance(0.7) ? Of(paths_) : Wild());
    return;
  }
  const bool time = type.name() == "Timestamp";
  const int64_t now = 1'700'000'000 + static_cast<int64_t>(Below(400'000'000));
  to.SetInt64(&message, type.field(0),
              meant_        ? (time ? now : static_cast<int64_t>(Below(100)))
              : Chance(0.5) ? Integer()
                            : now);
  to.SetInt32(&message, type.field(1),
              meant_ ? static_cast<int32_t>(Below(1000)) * 1'000'000 : static_cast<int32_t>(Integer()));
}

int64_t RandomMessages::Integer() {
  if (meant_) return static_cast<int64_t>(Below(Chance(0.5) ? 4 : 100));
  static const std::vector<int64_t> kEdges = {0,
                                              1,
                                              -1,
                                              INT8_MAX,
                                              INT16_MAX,
                                              INT32_MAX,
                                              INT32_MIN,
                                              UINT32_MAX,
                                              int64_t{INT32_MAX} + 1,
                                              INT64_MAX,
                                              INT64_MIN,
                                              315'576'000'000,
                                              -315'576'000'001,
                                              253'402'300'800,
                                              999'999'999,
                                              1'000'000'000};
  return Chance(0.7) ? Of(kEdges) : static_cast<int64_t>(random_());
}

std::string RandomMessages::Text(const FieldDescriptor& field) {
  return meant_ || Chance(0.5) ? Meant(field) : Wild();
}

std::string RandomMessages::Meant(const FieldDescriptor& field) {
  const std::string& name = field.name();
  if (IsPosition(field)) return Chance(0.5) ? "" : known_.Pick(kPageToken, random_);
  if (IsId(field)) {
    // A subscriber's id is the caller's to choose.
    const std::string kind = KindAsked(field);
    if (kind == kSubscriber && Chance(0.2)) return absl::StrCat("s", Below(1000));
    return known_.Pick(Chance(0.9) ? kind : Of<std::string>({"ep", "evt", "dlv", "job", "bin", "tok"}),
                       random_);
  }
  if (name == "url") {
    if (Chance(0.7)) return absl::StrCat(Of(urls_), "?key=", kMarker);
    return Of<std::string>({"http://127.0.0.1:1/", "https://nobody.invalid/", "http://[::1]:1/x",
                            "http://10.0.0.1/", "http://0x7f.1/", "ftp://127.0.0.1/",
                            "http://localhost:1/?a=***"});
  }
  if (absl::StrContains(name, "payload")) {
    return Of<std::string>({"{}", R"({"a":["hunter2hunter2",1e9,null]})", "[]", "1", R"("text")", "{", "[1,",
                            std::string(60, '[') + std::string(60, ']'), "\"\xff\""});
  }
  if (field.containing_type()->options().map_entry() && name == "key") return "a_name";
  if (absl::StrContains(name, "secret") || name == "value" || absl::StrContains(name, "key")) {
    return Of<std::string>(
        {kMarker, absl::StrCat("whsec_", kMarker), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "k1"});
  }
  if (absl::StrContains(name, "type"))
    return Of<std::string>({"t", "message:in:new", "message:*", "*", "order.paid"});
  if (absl::StrContains(name, "profile") || field.containing_type()->name() == "GetProfileRequest") {
    return Of<std::string>({"wassenger", "standard", "cbot", "whizard", "none"});
  }
  if (absl::StrContains(name, "host"))
    return Of<std::string>({"127.0.0.1", "localhost:80", "nobody.invalid", "[::1]:1"});
  if (absl::StrContains(name, "address")) return Of<std::string>({"ops@example.com", "a", "a@b"});
  if (absl::StrContains(name, "pem")) {
    return "-----BEGIN CERTIFICATE-----\naHVudGVyMmh1bnRlcjI=\n-----END CERTIFICATE-----\n";
  }
  return Of<std::string>({"", "a", "x-name", "some words", "0", "text 2"});
}

std::string RandomMessages::Wild() {
  switch (Below(12)) {
    case 0:
      return "";
    case 1:
      return std::string(Below(Chance(0.02) ? 2'000'000 : 20'000), 'x');
    case 2:
      return std::string("a\0b", 3);
    case 3:
      return "line\r\nX-Injected: 1";
    case 4:
      return "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    case 5:
      return "../../etc/passwd";
    case 6:
      return "%s%n%00";
    case 7:
      return known_.Pick("", random_);
    case 8:
      return absl::StrCat(known_.Pick("", random_), "x");
    case 9:
      return std::to_string(Integer());
    default: {
      // ASCII, control characters too; what is not UTF-8 is refused before a service sees it.
      std::string text = Bytes(80);
      for (char& c : text) c = static_cast<char>(c & 0x7f);
      return text;
    }
  }
}

std::string RandomMessages::Bytes(size_t at_most) {
  std::string bytes(Below(at_most + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random_());
  return bytes;
}

}  // namespace hookd::testing
