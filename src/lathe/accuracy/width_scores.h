// How much each choice alone costs in error: what training a slimmable net leaves behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/accuracy/sample.h"
#include "lathe/space/slot_costs.h"
#include "lathe/space/space.h"

namespace lathe::accuracy {

/// Of one choice of one decision, over the nets that had it. Nats of cross-entropy.
struct WidthScore {
  double mean = 0.0;            ///< increase of the error above the widest net's; may be negative
  double standard_error = 0.0;  ///< of the mean
  std::int64_t count = 0;       ///< samples behind it, > 0
  bool operator==(const WidthScore&) const = default;
};

/// [decision][choice]; nothing where no net had the choice: its error is unknown, not 0.
using WidthScoreTable = std::vector<std::vector<std::optional<WidthScore>>>;

/// From the error of a net to its top-1 accuracy: a line that falls or is level.
struct ScoreCalibration {
  double intercept = 0.0;    ///< accuracy of a net with error 0, a fraction
  double slope = 0.0;        ///< accuracy lost for each nat, >= 0
  std::int64_t samples = 0;  ///< evaluated subnets that it was fitted to
  double rmse = 0.0;         ///< of those, a fraction; with two degrees of freedom taken off
  double kendall_tau = 0.0;  ///< of accuracies with falling errors: no fit can better it
  bool operator==(const ScoreCalibration&) const = default;
};

/// An accuracy model that is a sum over decisions: the error of a net is the sum of its choices'
/// scores, so that solvers over trellises find the best net exactly.
///
/// An unvisited choice is taken at the upper end of what is plausible: the mean that lies between
/// those of the nearest visited choices on both sides (beyond the last one, that one's), plus the
/// spread of the decision's means, or of the decision with the widest where it has but one. Of a
/// decision without a visited choice nothing is known: all its choices have the error 0 and that
/// widest spread for a standard error, so that the other costs decide between them.
/// @see AOWS (Berman et al., CVPR 2020), section 5. Differs in: choices that were never drawn count
/// as unknown, where the authors' code has 0, the best there is.
class WidthScores final : public AccuracyPredictor {
 public:
  static constexpr int kVersion = 1;
  static constexpr const char* kUnit = "nats of cross-entropy above the widest net";

  /// `space` must outlive the scores.
  /// @throws std::invalid_argument unless `table` has a list for each decision and an entry for
  /// each choice, some of them visited, means within +-1e9, standard errors in [0, 1e9], and counts
  /// > 0; or if the calibration's numbers are not finite, or its slope is negative; Error
  /// as space::SlotChain, if the space is too entangled for sums over its slots.
  WidthScores(const space::Space& space, WidthScoreTable table,
              std::optional<ScoreCalibration> calibration = {});
  WidthScores(space::Space&&, WidthScoreTable, std::optional<ScoreCalibration> = {}) = delete;

  const WidthScoreTable& table() const { return table_; }
  int num_unvisited() const { return num_unvisited_; }
  const std::optional<ScoreCalibration>& calibration() const { return calibration_; }

  /// The error of each choice, unvisited ones as above.
  const std::vector<std::vector<double>>& errors() const { return errors_; }
  /// The same as a sum over slots: what solvers minimise.
  const space::SlotCosts& costs() const { return costs_; }
  const space::SlotCosts* error_costs() const override { return &costs_; }
  /// The error of a net in nats. @throws std::invalid_argument if `arch` is none of the space.
  double error(const space::Arch& arch) const;
  /// Of that error, as if its terms were independent. @throws as error().
  double standard_error(const space::Arch& arch) const;

  using AccuracyPredictor::predict;
  /// By the calibration, cut to [0, 1]. Without one exp(-error) as a share of the best net's: how
  /// likely the right class is, in the geometric mean over images, beside the net that scores best.
  /// That ranks nets as accuracies would, and is none.
  void predict(std::span<const space::Arch> archs, std::span<double> out) const override;
  std::vector<float> choice_effects(std::span<const space::Arch> archs) const override;
  const std::string& space_name() const override { return space_->name(); }

  /// These scores with a line through `samples`, by least squares; level if it would rise.
  /// @throws std::invalid_argument if there are fewer than three samples, or their nets all have
  /// the same error.
  WidthScores calibrated(std::span<const AccuracySample> samples) const;

  /// `{"version": 1, "space": "mobilenet_v1_widths", "task": {"in_channels", "num_classes",
  /// "input_size"}, "unit": "nats of ...", "scores": [[{"mean", "standard_error", "count"} or null,
  /// ...], ...], "calibration": {"intercept", "slope", "samples", "rmse", "kendall_tau"} or null}`.
  nlohmann::ordered_json to_json() const;
  /// @throws Error as write_json().
  void save(const std::filesystem::path& path) const;
  /// @throws Error `<where>: ...` if it is another version or unit, of another space or task (both
  /// are named), or not as the constructor wants it. A missing calibration is none.
  static WidthScores from_json(const space::Space& space, const nlohmann::json& json,
                               const std::string& where);
  static WidthScores from_json(space::Space&&, const nlohmann::json&, const std::string&) = delete;
  static WidthScores load(const space::Space& space, const std::filesystem::path& path);
  static WidthScores load(space::Space&&, const std::filesystem::path&) = delete;

 private:
  const space::Space* space_;
  WidthScoreTable table_;
  std::optional<ScoreCalibration> calibration_;
  int num_unvisited_ = 0;
  std::vector<std::vector<double>> errors_;
  std::vector<std::vector<double>> standard_errors_;
  space::SlotCosts costs_;
  double least_error_ = 0.0;  // of any net
};

}  // namespace lathe::accuracy
