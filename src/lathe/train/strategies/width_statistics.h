// How much a width costs in error, from the losses of the nets that training draws anyway.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/accuracy/width_scores.h"
#include "lathe/space/space.h"

namespace lathe::train {

/// What is taken off a drawn net's error before it counts for the net's widths.
enum class ScoreBaseline {
  kNone,      ///< nothing: the paper's score
  kMean,      ///< the mean error of the nets drawn lately
  kResidual,  ///< that, and what the net's other widths cost by the scores so far
};

struct WidthStatisticsOptions {
  /// A width's score is of as many images as saw it last; what is older is forgotten, a sixteenth
  /// of the window at a time. The paper's is the last epoch; its public code's this.
  std::int64_t window_images = 100000;
  ScoreBaseline baseline = ScoreBaseline::kResidual;
};

/// Scores of every choice of every decision. A drawn net's error is the mean over a batch's images
/// of its cross-entropy minus the widest net's; each of its widths gets it, less the baseline, and
/// a width's score is the mean of what it got, where it may be said to be known. Scores of a net's
/// widths sum to an estimate of its error.
///
/// Without a baseline, widths that have not been drawn lately keep the errors of a time when
/// everything was worse, and every width carries the luck of the widths that were drawn with it;
/// the residual takes off both, which leaves the same expectation where widths are drawn
/// independently, and the right one where they are not (AOWS).
/// @see AOWS (Berman et al., CVPR 2020), section 5. Differs in: the paper's images have a net each,
/// whose channels are masked; here a batch has one, sliced. The paper's score is 1/n of the error,
/// n the number of widths, so that differences of sums are too small by n; here they are the
/// error's. Standard errors are of the drawn nets, since images of one batch share a net.
class WidthStatistics {
 public:
  /// `space` must outlive it. @throws std::invalid_argument if the window has no image.
  WidthStatistics(const space::Space& space, const WidthStatisticsOptions& options);

  /// A net that was drawn, and its error over `images` images, in nats. @throws
  /// std::invalid_argument if there is no image or the arch is none of the space.
  void add(const space::Arch& arch, double error, std::int64_t images);

  /// Nets drawn.
  std::int64_t draws() const { return draws_; }

  /// Of every decision, every choice; nothing where none was drawn, or so few that their standard
  /// error is unknown.
  accuracy::WidthScoreTable scores() const;

  /// The same for a search; nothing while no choice is known.
  std::optional<accuracy::WidthScores> width_scores() const;

  /// For weighing nets while there may be unknown widths: scores as plain numbers, an unknown one
  /// the mean of its decision's others. Only differences within a decision mean anything.
  std::vector<std::vector<double>> estimates() const;

  nlohmann::json state() const;
  /// @throws Error if it is not a state() of the same space.
  void restore(const nlohmann::json& state);

 private:
  struct Sums {
    double draws = 0;
    double images = 0;
    double error = 0;
    double squared = 0;
    void add(const Sums& other);
  };
  /// The draws of one choice, in parts that are forgotten whole; the last is being filled.
  struct Recent {
    std::deque<Sums> parts;
    Sums total;
  };

  void push(Recent& recent, double error, std::int64_t images) const;
  std::optional<double> mean_of(const Recent& recent) const;

  const space::Space& space_;
  WidthStatisticsOptions options_;
  std::vector<std::vector<Recent>> recent_;  // of each decision's choices
  std::int64_t draws_ = 0;
  double level_ = 0;  // running mean of the errors, less what the widths explain
};

}  // namespace lathe::train
