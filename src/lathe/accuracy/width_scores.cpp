#include "lathe/accuracy/width_scores.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/regress/line.h"
#include "lathe/space/slot_chain.h"

namespace lathe::accuracy {
namespace {

constexpr double kMost = 1e9;  // nats: sums of such numbers stay exact enough, and finite
constexpr std::size_t kMinSamples = 3;

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("[accuracy::WidthScores] " + what);
}

std::string name_of(std::size_t decision, std::size_t choice) {
  return "scores[" + std::to_string(decision) + "][" + std::to_string(choice) + "]";
}

void check_score(const WidthScore& score, const std::string& name) {
  if (!(std::abs(score.mean) <= kMost)) {
    refuse(name + ".mean must be within +-1e9, got " + std::to_string(score.mean));
  }
  if (!(score.standard_error >= 0 && score.standard_error <= kMost)) {
    refuse(name + ".standard_error must be in [0, 1e9], got " +
           std::to_string(score.standard_error));
  }
  if (score.count <= 0) {
    refuse(name + ".count must be > 0, got " + std::to_string(score.count));
  }
}

/// The number of unvisited choices.
int check_table(const space::Space& space, const WidthScoreTable& table) {
  const std::vector<space::Decision>& decisions = space.decisions();
  if (table.size() != decisions.size()) {
    refuse("scores must have a list for each of the " + std::to_string(decisions.size()) +
           " decisions of " + space.name() + ", got " + std::to_string(table.size()));
  }
  int unvisited = 0;
  int visited = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].size() != decisions[i].values.size()) {
      refuse("scores[" + std::to_string(i) + "] must have an entry for each of the " +
             std::to_string(decisions[i].values.size()) + " choices, got " +
             std::to_string(table[i].size()));
    }
    for (std::size_t c = 0; c < table[i].size(); ++c) {
      if (table[i][c]) {
        check_score(*table[i][c], name_of(i, c));
        ++visited;
      } else {
        ++unvisited;
      }
    }
  }
  if (visited == 0) {
    refuse("scores must have a visited choice, got none");
  }
  return unvisited;
}

void check_calibration(const ScoreCalibration& line) {
  for (const auto& [name, value] : {std::pair{"intercept", line.intercept},
                                    {"slope", line.slope},
                                    {"rmse", line.rmse},
                                    {"kendall_tau", line.kendall_tau}}) {
    if (!std::isfinite(value)) {
      refuse("calibration." + std::string(name) + " must be finite, got " + std::to_string(value));
    }
  }
  if (line.slope < 0) {
    refuse("calibration.slope must be >= 0, got " + std::to_string(line.slope));
  }
}

/// Between the lowest and the highest mean of a decision; 0 where fewer than two are known.
double spread_of(const std::vector<std::optional<WidthScore>>& scores) {
  double low = kMost;
  double high = -kMost;
  for (const auto& score : scores) {
    low = score ? std::min(low, score->mean) : low;
    high = score ? std::max(high, score->mean) : high;
  }
  return std::max(0.0, high - low);
}

/// Choice `c` by those around it; one of them is visited.
double between_neighbours(const std::vector<std::optional<WidthScore>>& scores, std::size_t c) {
  std::size_t below = c;
  while (below > 0 && !scores[below]) --below;
  std::size_t above = c;
  while (above + 1 < scores.size() && !scores[above]) ++above;
  if (!scores[below] || !scores[above]) {
    return (scores[below] ? scores[below] : scores[above])->mean;
  }
  const double part = static_cast<double>(c - below) / static_cast<double>(above - below);
  return scores[below]->mean + part * (scores[above]->mean - scores[below]->mean);
}

struct Filled {
  std::vector<std::vector<double>> errors;
  std::vector<std::vector<double>> standard_errors;
};

Filled filled(const WidthScoreTable& table) {
  double widest = 0;
  for (const auto& scores : table) {
    widest = std::max(widest, spread_of(scores));
  }
  Filled all;
  for (const auto& scores : table) {
    const auto known = std::ranges::count_if(scores, [](const auto& score) { return !!score; });
    const double spread = known > 1 ? spread_of(scores) : widest;
    auto& errors = all.errors.emplace_back();
    auto& standard_errors = all.standard_errors.emplace_back();
    for (std::size_t c = 0; c < scores.size(); ++c) {
      if (scores[c]) {
        errors.push_back(scores[c]->mean);
        standard_errors.push_back(scores[c]->standard_error);
      } else if (known > 0) {
        errors.push_back(between_neighbours(scores, c) + spread);
        standard_errors.push_back(spread);
      } else {
        errors.push_back(0);
        standard_errors.push_back(widest);
      }
    }
  }
  return all;
}

/// The table as it was read, checked by the constructor.
WidthScoreTable table_from_json(const nlohmann::json& json, const std::string& where) {
  WidthScoreTable table;
  const auto lists = json_member<nlohmann::json>(json, "scores", where);
  if (!lists.is_array()) {
    throw Error(where + ": \"scores\": expected a list for each decision, got " +
                internal::json_summary(lists));
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!lists[i].is_array()) {
      throw Error(where + ": scores[" + std::to_string(i) +
                  "]: expected a list with an entry for each choice, got " +
                  internal::json_summary(lists[i]));
    }
    auto& scores = table.emplace_back();
    for (std::size_t c = 0; c < lists[i].size(); ++c) {
      const nlohmann::json& entry = lists[i][c];
      const std::string here = where + ": " + name_of(i, c);
      scores.emplace_back();
      if (!entry.is_null()) {
        scores.back() =
            WidthScore{.mean = json_member<double>(entry, "mean", here),
                       .standard_error = json_member<double>(entry, "standard_error", here),
                       .count = json_member<std::int64_t>(entry, "count", here)};
      }
    }
  }
  return table;
}

nlohmann::ordered_json json_of(const space::Task& task) {
  return {{"in_channels", task.in_channels},
          {"num_classes", task.num_classes},
          {"input_size", task.input_size}};
}

void require_space(const nlohmann::json& json, const space::Space& space,
                   const std::string& where) {
  const auto name = json_member<std::string>(json, "space", where);
  if (name != space.name()) {
    throw Error(where + ": \"space\": expected " + space.name() + ", got \"" + name.substr(0, 60) +
                "\"; name the space of the scores with --space");
  }
  const auto task = json_member<nlohmann::json>(json, "task", where);
  const space::Task found{.in_channels = json_member<int>(task, "in_channels", where),
                          .num_classes = json_member<int>(task, "num_classes", where),
                          .input_size = json_member<int>(task, "input_size", where)};
  if (const auto reason = json_difference(json_of(found), json_of(space.task()))) {
    throw Error(where + ": scores of another task than the space's: " + *reason);
  }
}

std::optional<ScoreCalibration> calibration_from_json(const nlohmann::json& json,
                                                      const std::string& where) {
  const auto member = json.find("calibration");
  if (member == json.end() || member->is_null()) {
    return std::nullopt;
  }
  return ScoreCalibration{.intercept = json_member<double>(*member, "intercept", where),
                          .slope = json_member<double>(*member, "slope", where),
                          .samples = positive_json_member<std::int64_t>(*member, "samples", where),
                          .rmse = json_member<double>(*member, "rmse", where),
                          .kendall_tau = json_member<double>(*member, "kendall_tau", where)};
}

}  // namespace

WidthScores::WidthScores(const space::Space& space, WidthScoreTable table,
                         std::optional<ScoreCalibration> calibration)
    : space_(&space),
      table_(std::move(table)),
      calibration_(calibration),
      num_unvisited_(check_table(space, table_)),
      errors_(filled(table_).errors),
      standard_errors_(filled(table_).standard_errors),
      costs_(space, errors_) {
  if (calibration_) {
    check_calibration(*calibration_);
  }
  least_error_ = space::SlotChain(space).minimum(costs_).second;
}

double WidthScores::error(const space::Arch& arch) const {
  space_->check(arch);
  return costs_.total(arch);
}

double WidthScores::standard_error(const space::Arch& arch) const {
  space_->check(arch);
  double variance = 0;
  for (std::size_t i = 0; i < standard_errors_.size(); ++i) {
    if (space_->alive(arch, static_cast<int>(i))) {
      const double deviation = standard_errors_[i][arch.choices[i]];
      variance += deviation * deviation;
    }
  }
  return std::sqrt(variance);
}

void WidthScores::predict(std::span<const space::Arch> archs, std::span<double> out) const {
  if (archs.size() != out.size()) {
    throw std::invalid_argument("[accuracy::WidthScores::predict] out must have " +
                                std::to_string(archs.size()) + " values, got " +
                                std::to_string(out.size()));
  }
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const double above = error(archs[i]);
    out[i] = calibration_ ? calibration_->intercept - calibration_->slope * above
                          : std::exp(least_error_ - above);
    out[i] = std::clamp(out[i], 0.0, 1.0);
  }
}

std::vector<float> WidthScores::choice_effects(std::span<const space::Arch> archs) const {
  std::vector<float> effects;
  for (const space::Arch& arch : archs) {
    // The derivative of the accuracy by the error.
    const double slope = calibration_ ? -calibration_->slope : -predict(arch);
    for (std::size_t i = 0; i < errors_.size(); ++i) {
      const bool alive = space_->alive(arch, static_cast<int>(i));
      for (const double error : errors_[i]) {
        effects.push_back(alive ? static_cast<float>(slope * error) : 0.0F);
      }
    }
  }
  return effects;
}

WidthScores WidthScores::calibrated(std::span<const AccuracySample> samples) const {
  std::vector<double> better;  // the error, negated
  const std::vector<double> accuracies = smoothed_accuracies(samples);
  for (const AccuracySample& sample : samples) {
    better.push_back(-error(sample.arch));
  }
  if (samples.size() < kMinSamples ||
      *std::ranges::min_element(better) == *std::ranges::max_element(better)) {
    throw std::invalid_argument(
        "[accuracy::WidthScores::calibrated] samples must be at least 3, of nets with different "
        "errors, got " +
        std::to_string(samples.size()));
  }
  ScoreCalibration line{.slope = std::max(0.0, regress::fit_line(better, accuracies).slope),
                        .samples = static_cast<std::int64_t>(samples.size()),
                        .kendall_tau = lathe::kendall_tau(better, accuracies)};
  line.intercept = mean(accuracies) - line.slope * mean(better);
  double squares = 0;
  for (std::size_t i = 0; i < better.size(); ++i) {
    const double residual = accuracies[i] - line.intercept - line.slope * better[i];
    squares += residual * residual;
  }
  line.rmse = std::sqrt(squares / static_cast<double>(samples.size() - 2));
  return {*space_, table_, line};
}

nlohmann::ordered_json WidthScores::to_json() const {
  nlohmann::ordered_json lists = nlohmann::ordered_json::array();
  for (const auto& scores : table_) {
    lists.push_back(nlohmann::ordered_json::array());
    for (const auto& score : scores) {
      nlohmann::ordered_json entry;  // null
      if (score) {
        entry = {{"mean", score->mean},
                 {"standard_error", score->standard_error},
                 {"count", score->count}};
      }
      lists.back().push_back(std::move(entry));
    }
  }
  nlohmann::ordered_json json{
      {"version", kVersion}, {"space", space_->name()}, {"task", json_of(space_->task())},
      {"unit", kUnit},       {"scores", lists},         {"calibration", nullptr}};
  if (calibration_) {
    json["calibration"] = {{"intercept", calibration_->intercept},
                           {"slope", calibration_->slope},
                           {"samples", calibration_->samples},
                           {"rmse", calibration_->rmse},
                           {"kendall_tau", calibration_->kendall_tau}};
  }
  return json;
}

void WidthScores::save(const std::filesystem::path& path) const { write_json(path, to_json()); }

WidthScores WidthScores::from_json(const space::Space& space, const nlohmann::json& json,
                                   const std::string& where) {
  const int version = json_member<int>(json, "version", where);
  if (version != kVersion) {
    throw Error(where + ": \"version\": expected " + std::to_string(kVersion) + ", got " +
                std::to_string(version));
  }
  const auto unit = json_member<std::string>(json, "unit", where);
  if (unit != kUnit) {
    throw Error(where + ": \"unit\": expected \"" + kUnit + "\", got \"" + unit.substr(0, 60) +
                "\"");
  }
  require_space(json, space, where);
  WidthScoreTable table = table_from_json(json, where);
  try {
    return {space, std::move(table), calibration_from_json(json, where)};
  } catch (const std::invalid_argument& error) {
    throw Error(where + ": " + error.what());
  }
}

WidthScores WidthScores::load(const space::Space& space, const std::filesystem::path& path) {
  return from_json(space, read_json(path), path.string());
}

}  // namespace lathe::accuracy
