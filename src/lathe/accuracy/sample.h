// Evaluated subnets, and the file they are collected in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

struct AccuracySample {
  space::Arch arch;
  double accuracy = 0.0;  ///< top-1 as a fraction
  /// The same with a soft count, which tells nets apart better: smoothed_accuracies(). In [0, 1];
  /// older files have none.
  std::optional<double> soft_accuracy = {};
  bool operator==(const AccuracySample&) const = default;
};

/// What accuracies hold under: those of other weights or images don't mix.
struct Conditions {
  std::string space;
  space::Task task;
  std::string dataset;
  std::string weights;  ///< content_hash() of the supernet's tensors, or what else tells them apart
  std::int64_t validation_images = 0;
  std::uint64_t seed = 0;  ///< of what evaluating draws: calibration images, subsets
};

nlohmann::ordered_json to_json(const Conditions& conditions);
/// @throws Error `<where>: ...` naming the member that is missing, of another type, or not > 0.
Conditions conditions_from_json(const nlohmann::json& json, const std::string& where);
/// The first difference, `seed: 0 against 1`, or nothing if equal.
std::optional<std::string> difference(const Conditions& a, const Conditions& b);

/// What a sample file holds.
struct AccuracySamples {
  Conditions conditions;
  std::vector<AccuracySample> samples;
  bool unfinished = false;  ///< a last line without its end was left out
};

/// The accuracies of the samples without most of the chance of which images they were counted on:
/// the line of least squares from soft accuracies to accuracies, at each sample's soft accuracy.
/// Accuracies as they are where a sample has no soft one, or more of it means less accuracy.
std::vector<double> smoothed_accuracies(std::span<const AccuracySample> samples);

/// Reads a file that SampleLog wrote; an unfinished last line is left out.
/// @throws Error naming the file, and the line where there is one: it is missing or empty, has no
/// conditions or several, is of another space or task, an arch is none of the space, or an accuracy
/// is outside [0, 1].
AccuracySamples read_samples(const std::filesystem::path& path, const space::Space& space);

/// What a sample file was evaluated under, to find its space by. @throws Error naming the file.
Conditions conditions_of_samples(const std::filesystem::path& path);

/// JSON lines: `{"conditions": {...}}`, then `{"arch": {...}, "accuracy": 0.91, "soft_accuracy":
/// 0.88}` for each sample, the last where it is known; never rewritten. A crash loses at most the
/// line that was being written.
class SampleLog {
 public:
  /// Continues the file at `path`, or begins it with the first sample. `space` must outlive this.
  /// @throws Error as read_samples() for a file that exists, or if it was evaluated under other
  /// conditions (the difference is named).
  SampleLog(const std::filesystem::path& path, const space::Space& space,
            const Conditions& conditions);
  SampleLog(const std::filesystem::path&, space::Space&&, const Conditions&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Those already in the file and those appended since.
  const std::vector<AccuracySample>& samples() const { return samples_; }

  /// @throws std::invalid_argument if an accuracy is outside [0, 1]; Error if the file can't be
  /// written.
  void append(const AccuracySample& sample);

 private:
  const space::Space* space_;
  std::filesystem::path path_;
  Conditions conditions_;
  JsonLines lines_;
  std::vector<AccuracySample> samples_;
  bool begun_ = false;
};

}  // namespace lathe::accuracy
