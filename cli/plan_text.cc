#include <array>

#include "base/concat.h"
#include "cli/output.h"
#include "cli/plan.h"

namespace hookd::cli {
namespace {

const char* ActionWord(Action action) {
  if (action == Action::kCreate) return "create";
  return action == Action::kChange ? "change" : "delete";
}

std::string StepText(const Step& step) {
  const char* const sign = step.action == Action::kCreate ? "+" : step.action == Action::kChange ? "~" : "-";
  std::string text = Concat(sign, step.is_endpoint ? " endpoint " : " subscriber ");
  if (!step.is_endpoint) {
    text += step.subscriber_id;
  } else if (step.endpoint_id.empty()) {
    text += Concat(step.label, " of ", step.subscriber_id);
  } else {
    text += Concat(step.endpoint_id, " (", step.label, ") of ", step.subscriber_id);
  }
  text = Printable(text) + "\n";
  for (const FieldChange& change : step.changes) {
    const bool changed = step.action == Action::kChange;
    text += Concat("    ", change.path, ": ", changed ? Printable(change.before) + " -> " : "",
                   Printable(change.after), "\n");
  }
  return text;
}

}  // namespace

std::string PlanText(const std::vector<Step>& plan) {
  if (plan.empty()) return "no difference\n";
  std::string text;
  std::array<size_t, 3> counts{};
  for (const Step& step : plan) {
    text += StepText(step);
    ++counts.at(static_cast<size_t>(step.action));
  }
  return Concat(text, counts[0], " to create, ", counts[1], " to change, ", counts[2], " to delete\n");
}

google::protobuf::Struct PlanJson(const std::vector<Step>& plan) {
  google::protobuf::Struct document;
  auto& changes = *(*document.mutable_fields())["changes"].mutable_list_value();
  for (const Step& step : plan) {
    auto& fields = *changes.add_values()->mutable_struct_value()->mutable_fields();
    fields["action"].set_string_value(ActionWord(step.action));
    fields["kind"].set_string_value(step.is_endpoint ? "endpoint" : "subscriber");
    fields["subscriber_id"].set_string_value(step.subscriber_id);
    if (!step.endpoint_id.empty()) fields["endpoint_id"].set_string_value(step.endpoint_id);
    if (!step.label.empty()) fields["label"].set_string_value(step.label);
    auto& list = *fields["fields"].mutable_list_value();
    for (const FieldChange& change : step.changes) {
      auto& field = *list.add_values()->mutable_struct_value()->mutable_fields();
      field["path"].set_string_value(change.path);
      field["before"].set_string_value(change.before);
      field["after"].set_string_value(change.after);
    }
  }
  return document;
}

}  // namespace hookd::cli
