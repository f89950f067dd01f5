// Stage: from what the search found to one trained net for each target.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/graph/fold.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/run/answers/device_noise.h"
#include "lathe/run/answers/winners.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/fine_tune_stage.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/search/search_targets.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

/// What answers are made from.
struct Workshop {
  const Trained& trained;
  const TrainJob& job;
  const train::Evaluator& evaluator;
  measure::Runner& runner;
  const DeviceNoise& noise;
  const SpecializeOptions& options;
  const RunFolder& folder;
  const ProgressFn& progress;
};

/// A net and how good it is.
struct Made {
  graph::Net net;              ///< batch norm recalibrated
  double validation_top1 = 0;  ///< in float32, on images that had a part in choosing it
  std::string trained;         ///< for people: how its weights came about
  std::optional<double> int8_validation_top1 = {};  ///< where answers are in 8 bits

  /// What nets are compared by: their accuracy as they are handed over.
  double quality() const { return int8_validation_top1.value_or(validation_top1); }
};

/// The net for a target, as it is handed over.
struct Answer : Made {
  double target_ms = 0;
  Winner winner;
  /// The fastest target that has this answer, if it isn't this one: nothing slower was found to be
  /// better.
  std::optional<double> same_as_ms;
};

/// What answers get of their own.
struct TrainedAlone {
  FineTuneOptions how;
  /// So many of them, those that are worth_training_alone(); 0: all.
  int at_most = 0;
};

/// How far a supernet's predicted accuracies can be trusted, and what is done beside it.
struct AnswerOptions {
  double predictor_rmse = 0;        ///< of the accuracies that the search saw
  std::vector<TrainedAlone> alone;  ///< ways to train nets alone; the best on validation stays
};

/// What the files of a target are called by: `0.75ms`.
std::string target_name(double target_ms);

/// `net` evaluated on the validation images, in 8 bits too where options say so.
Made made_of(const Workshop& shop, graph::Net net, std::string trained);

/// The first of each target's candidates that holds when measured, as find_winners(); kept in files
/// of the folder, so that what was measured once has decided. `front` may help out.
std::vector<Winner> winners_of(const Workshop& shop, std::span<const search::TargetResult> targets,
                               const std::vector<search::Candidate>& front,
                               const SessionFn& measure);

/// For each feasible target, ascending. Of a supernet:
/// the best predicted candidates are evaluated on the validation images, and ranked by that and the
/// prediction together, each weighted by its error, unless the predictor is so sure that no
/// evaluation could matter; the first that holds its target when measured wins; the winners are
/// trained on alone where options say so, and keep what is better on the validation images; a
/// target whose answer is worse there than a faster target's gets that one. Candidates, winners and
/// the training have files of their own in the folder, which a resumed run goes on from.
std::vector<Answer> find_answers(const Workshop& shop, const search::SearchResult& found,
                                 const AnswerOptions& options);

/// Of a net that was trained alone: it is the answer to every target.
/// `targets_ms` ascend, and `predicted_ms` is within each.
std::vector<Answer> answers_of_one_net(const Workshop& shop, const std::vector<double>& targets_ms,
                                       double predicted_ms);

}  // namespace lathe::run
