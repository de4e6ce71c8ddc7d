#include "cli/words.h"

#include <absl/strings/ascii.h>

namespace hookd::cli {
namespace {

using google::protobuf::EnumDescriptor;

// "DELIVERY_STATE_" of DeliveryState.
std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + '_';
}

}  // namespace

std::string EnumWord(const EnumDescriptor& type, int number) {
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr) return std::to_string(number);
  return absl::AsciiStrToLower(value->name().substr(PrefixOf(type).size()));
}

int EnumNumber(const EnumDescriptor& type, const std::string& word) {
  const auto* value = type.FindValueByName(PrefixOf(type) + absl::AsciiStrToUpper(word));
  return value == nullptr ? 0 : value->number();
}

std::vector<std::string> EnumWords(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 1; i < type.value_count(); ++i) words.push_back(EnumWord(type, type.value(i)->number()));
  return words;
}

}  // namespace hookd::cli
