// Enums of the API as words of the command line: DELIVERY_STATE_PENDING is "pending".
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

namespace hookd::cli {

// The number where it has no name.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int number);
// 0 where there is no such word.
int EnumNumber(const google::protobuf::EnumDescriptor& type, const std::string& word);
// All but the first, which says that nothing was said.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);

template <typename Enum>
std::string Word(Enum value) {
  return EnumWord(*google::protobuf::GetEnumDescriptor<Enum>(), value);
}

template <typename Enum>
Enum FromWord(const std::string& word) {
  return static_cast<Enum>(EnumNumber(*google::protobuf::GetEnumDescriptor<Enum>(), word));
}

template <typename Enum>
std::vector<std::string> Words() {
  return EnumWords(*google::protobuf::GetEnumDescriptor<Enum>());
}

}  // namespace hookd::cli
