#include "lathe/accuracy/sample.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "lathe/core/error.h"
#include "lathe/regress/line.h"

namespace lathe::accuracy {
namespace {

constexpr const char* kConditions = "conditions";

constexpr const char* kSoftAccuracy = "soft_accuracy";

bool plausible(double accuracy) { return accuracy >= 0 && accuracy <= 1; }

double fraction(const nlohmann::json& line, const char* key, const std::string& where) {
  const auto value = json_member<double>(line, key, where);
  if (!plausible(value)) {
    throw Error(where + ": \"" + key + "\": must be a fraction in [0, 1], got " +
                line.at(key).dump());
  }
  return value;
}

std::string line_name(const std::filesystem::path& path, std::size_t line) {
  return path.string() + ":" + std::to_string(line + 1);
}

Conditions first_line(const nlohmann::json& line, const std::filesystem::path& path) {
  const std::string where = line_name(path, 0);
  return conditions_from_json(json_member<nlohmann::json>(line, kConditions, where), where);
}

/// The conditions and samples of a file that has a line at least.
AccuracySamples parse(const std::vector<nlohmann::json>& lines, const space::Space& space,
                      const std::filesystem::path& path) {
  AccuracySamples result{.conditions = first_line(lines.front(), path)};
  Conditions expected = result.conditions;
  expected.space = space.name();
  expected.task = space.task();
  if (const auto reason = difference(result.conditions, expected)) {
    throw Error(path.string() + ": not of the space that was asked for: " + *reason);
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string where = line_name(path, i);
    if (lines[i].contains(kConditions)) {
      throw Error(where + ": expected a sample, got conditions a second time");
    }
    AccuracySample sample{
        .arch = space.from_json(json_member<nlohmann::json>(lines[i], "arch", where), where),
        .accuracy = fraction(lines[i], "accuracy", where)};
    if (lines[i].contains(kSoftAccuracy)) {
      sample.soft_accuracy = fraction(lines[i], kSoftAccuracy, where);
    }
    result.samples.push_back(std::move(sample));
  }
  return result;
}

}  // namespace

nlohmann::ordered_json to_json(const Conditions& c) {
  return {{"space", c.space},
          {"in_channels", c.task.in_channels},
          {"num_classes", c.task.num_classes},
          {"input_size", c.task.input_size},
          {"dataset", c.dataset},
          {"weights", c.weights},
          {"validation_images", c.validation_images},
          {"seed", c.seed}};
}

Conditions conditions_from_json(const nlohmann::json& json, const std::string& where) {
  return {.space = json_member<std::string>(json, "space", where),
          .task = {.in_channels = positive_json_member<int>(json, "in_channels", where),
                   .num_classes = positive_json_member<int>(json, "num_classes", where),
                   .input_size = positive_json_member<int>(json, "input_size", where)},
          .dataset = json_member<std::string>(json, "dataset", where),
          .weights = json_member<std::string>(json, "weights", where),
          .validation_images = positive_json_member<std::int64_t>(json, "validation_images", where),
          .seed = json_member<std::uint64_t>(json, "seed", where)};
}

std::optional<std::string> difference(const Conditions& a, const Conditions& b) {
  return json_difference(to_json(a), to_json(b));
}

std::vector<double> smoothed_accuracies(std::span<const AccuracySample> samples) {
  std::vector<double> soft;
  std::vector<double> accuracies;
  for (const AccuracySample& sample : samples) {
    accuracies.push_back(sample.accuracy);
    if (sample.soft_accuracy) {
      soft.push_back(*sample.soft_accuracy);
    }
  }
  if (soft.empty() || soft.size() < accuracies.size()) {
    return accuracies;
  }
  const regress::Line line = regress::fit_line(soft, accuracies);
  if (line.slope > 0) {
    std::ranges::transform(soft, accuracies.begin(), [&](double x) { return line.at(x); });
  }
  return accuracies;
}

AccuracySamples read_samples(const std::filesystem::path& path, const space::Space& space) {
  const std::vector<nlohmann::json> lines = JsonLines(path).read();
  if (lines.empty()) {
    throw Error(path.string() + ": expected evaluated subnets, got a missing or empty file");
  }
  AccuracySamples result = parse(lines, space, path);
  result.unfinished = !read_file(path).ends_with('\n');
  return result;
}

Conditions conditions_of_samples(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) {
    throw Error(path.string() + ": expected evaluated subnets, got no complete line");
  }
  return first_line(parse_json(std::string_view(text).substr(0, end), line_name(path, 0)), path);
}

SampleLog::SampleLog(const std::filesystem::path& path, const space::Space& space,
                     const Conditions& conditions)
    : space_(&space), path_(path), conditions_(conditions), lines_(path) {
  const std::vector<nlohmann::json> lines = lines_.read();
  if (lines.empty()) {
    return;
  }
  if (const auto reason = difference(first_line(lines.front(), path), conditions)) {
    throw Error(path.string() + ": evaluated under other conditions: " + *reason +
                "; name another file");
  }
  samples_ = parse(lines, space, path).samples;
  begun_ = true;
}

void SampleLog::append(const AccuracySample& sample) {
  for (const double accuracy : {sample.accuracy, sample.soft_accuracy.value_or(0.0)}) {
    if (!plausible(accuracy)) {
      throw std::invalid_argument(
          "[accuracy::SampleLog::append] accuracy must be a fraction in [0, 1], got " +
          std::to_string(accuracy));
    }
  }
  if (!begun_) {
    lines_.append({{kConditions, to_json(conditions_)}});
    begun_ = true;
  }
  nlohmann::ordered_json line{{"arch", space_->to_json(sample.arch)},
                              {"accuracy", sample.accuracy}};
  if (sample.soft_accuracy) {
    line[kSoftAccuracy] = *sample.soft_accuracy;
  }
  lines_.append(line);
  samples_.push_back(sample);
}

}  // namespace lathe::accuracy
