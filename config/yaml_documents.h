// How many documents a YAML text holds.
#pragma once

#include <optional>
#include <string>

namespace hookd {

struct YamlDocuments {
  bool any = false;
  std::optional<int> second;  // its line, from 0
};

// Looks no farther than the second: YAML::LoadAll makes documents without end of a text that goes on behind
// the end of one. Throws yaml-cpp's exceptions.
YamlDocuments CountYamlDocuments(const std::string& yaml);

}  // namespace hookd
