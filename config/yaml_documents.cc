#include "config/yaml_documents.h"

#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace hookd {
namespace {

// Looks at nothing.
class NoEvents final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  int line = 0;
};

}  // namespace

YamlDocuments CountYamlDocuments(const std::string& yaml) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  NoEvents events;
  YamlDocuments count;
  count.any = parser.HandleNextDocument(events);
  if (count.any && parser.HandleNextDocument(events)) count.second = events.line;
  return count;
}

}  // namespace hookd
