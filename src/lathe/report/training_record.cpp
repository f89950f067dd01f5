#include "lathe/report/training_record.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace lathe::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCheckpoint = "checkpoint/supernet.safetensors";
constexpr const char* kTop1 = "_top1";
constexpr std::size_t kMostRecords = 1000;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void copy_numbers(const nlohmann::json& from, std::initializer_list<const char*> keys, Json& to) {
  for (const char* key : keys) {
    if (const auto value = number(from, key)) {
      to[key] = *value;
    }
  }
}

Json record_of(const nlohmann::json& line) {
  Json record;
  copy_numbers(line,
               {"step", "epoch", "loss", "logits_loss", "learning_rate", "images_per_s",
                "nets_per_step", "image_size"},
               record);
  for (const auto& [key, value] : line.items()) {
    if (ends_with(key, kTop1) && number(line, key)) {
      record["top1"][key.substr(0, key.size() - std::string(kTop1).size())] = *number(line, key);
    }
  }
  for (const auto& [name, value] : part(line, "top1").items()) {  // of a search of cells
    if (const auto top1 = number(part(line, "top1"), name)) {
      record["top1"][name] = *top1;
    }
  }
  return record;
}

/// Those with a step and an epoch, evenly thinned if they are many; the last stays.
std::vector<Json> records_of(const std::vector<nlohmann::json>& lines) {
  std::vector<Json> records;
  const std::size_t stride = (lines.size() + kMostRecords - 1) / kMostRecords;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool shown = (i + 1) % stride == 0 || i + 1 == lines.size();
    if (shown && number(lines[i], "step") && number(lines[i], "epoch")) {
      records.push_back(record_of(lines[i]));
    }
  }
  return records;
}

/// The step at which a plan that was shortened on its way comes to its step `planned`. `revisions`:
/// [step, steps left], as train::Stretch keeps them.
double done_step(double planned, double total, const nlohmann::json& revisions) {
  double from = 0, at = 0,
         pace = 1;  // since `from`, where the plan was `at`: planned per done step
  if (revisions.is_array()) {
    for (const nlohmann::json& revision : revisions) {
      if (!revision.is_array() || revision.size() != 2 || !revision[0].is_number() ||
          !revision[1].is_number()) {
        break;
      }
      const double step = revision[0].get<double>(), left = revision[1].get<double>();
      const double there = at + (step - from) * pace;
      if (there >= planned || left <= 0) {
        break;
      }
      from = step;
      at = there;
      pace = (total - at) / left;
    }
  }
  return pace > 0 ? from + (planned - at) / pace : planned;
}

Json mark(double step, const std::string& what, const std::string& text) {
  return {{"step", std::round(step)}, {"what", what}, {"text", text}};
}

/// By the plan that the checkpoint was made with.
std::vector<Json> planned_marks(const nlohmann::json& plan, const nlohmann::json& revisions) {
  const std::string method = text(plan, "method").value_or("");
  const double total = number(plan, "total_steps").value_or(0);
  std::vector<Json> marks;
  if (total <= 0) {
    return marks;
  }
  if (method == "deps") {
    const double share = plan.value("in_place_distillation", nlohmann::json()) == true
                             ? 0.0
                             : number(plan, "warmup_share").value_or(0.0);
    marks.push_back(mark(share * total, "shrinking", "shrinking starts"));
  } else if (method == "grow") {
    const double share = number(plan, "small_share").value_or(0.0);
    if (share > 0 && share < 1) {
      marks.push_back(mark(done_step(share * total, total, revisions), "growing",
                           "the small net grows: larger ones from here"));
    }
  } else if (method == "ofa") {
    for (const nlohmann::json& phase : part(plan, "phases")) {
      const double begins = number(phase, "begins").value_or(0.0);
      if (begins > 0) {
        marks.push_back(mark(begins, marks.empty() ? "shrinking" : "phase",
                             (marks.empty() ? "shrinking starts: " : "") +
                                 text(phase, "name").value_or("next phase")));
      }
    }
  }
  return marks;
}

/// By the records alone: the first that trains more nets a step than the one before.
std::vector<Json> seen_marks(const std::vector<Json>& records) {
  for (std::size_t i = 1; i < records.size(); ++i) {
    const double before = records[i - 1].value("nets_per_step", 1.0);
    if (records[i].value("nets_per_step", 1.0) > before && before == 1.0) {
      Json found = mark(records[i - 1].at("step").get<double>(), "shrinking",
                        "training of several nets starts in here");
      found["to_step"] = records[i].at("step");
      return {found};
    }
  }
  return {};
}

/// Where the images grow that nets are trained and read on, whose accuracies don't compare.
std::vector<Json> image_marks(const std::vector<Json>& records) {
  const auto of_size = [](double size) {
    return size > 0 ? "images of " + std::to_string(std::lround(size)) + " pixels" : "whole images";
  };
  std::vector<Json> marks;
  const Json* before = nullptr;
  for (const Json& record : records) {
    if (!record.contains("top1")) {
      continue;
    }
    const double size = record.value("image_size", 0.0);
    if (before != nullptr && before->value("image_size", 0.0) != size) {
      marks.push_back(mark(before->at("step").get<double>(), "images",
                           of_size(size) + " from in here; accuracies before are on " +
                               of_size(before->value("image_size", 0.0))));
      marks.back()["to_step"] = record.at("step");
    }
    before = &record;
  }
  return marks;
}

}  // namespace

nlohmann::ordered_json training_record(RunFiles& files) {
  const nlohmann::json train = files.json("train.json");
  const std::vector<Json> records = records_of(files.lines("metrics.jsonl"));
  if (!train.is_object() && records.empty()) {
    return Json::object();
  }
  Json training;
  if (const auto method = text(train, "method")) {
    training["method"] = *method;
  }
  copy_numbers(train, {"epochs"}, training);
  if (!records.empty() && records.front().at("epoch").get<double>() > 0) {
    training["steps_per_epoch"] =
        records.front().at("step").get<double>() / records.front().at("epoch").get<double>();
  }
  const nlohmann::json settings = files.safetensors_metadata(kCheckpoint, "settings");
  const nlohmann::json state = files.safetensors_metadata(kCheckpoint, "state");
  const nlohmann::json& plan = part(settings, "strategy");
  copy_numbers(plan, {"total_steps"}, training);
  std::vector<Json> marks = planned_marks(plan, part(state, "strategy"));
  if (const auto epoch = number(train, "first_logits_epoch");
      epoch && *epoch > 0 && training.contains("steps_per_epoch")) {
    marks.push_back(mark(*epoch * training["steps_per_epoch"].get<double>(), "logits",
                         "the weights of the cells' operations begin to learn"));
  }
  if (marks.empty()) {
    marks = seen_marks(records);
  }
  std::ranges::move(image_marks(records), std::back_inserter(marks));
  std::ranges::stable_sort(marks, {}, [](const Json& m) { return m.at("step").get<double>(); });
  training["marks"] = marks;
  training["records"] = records;
  return training;
}

}  // namespace lathe::report
