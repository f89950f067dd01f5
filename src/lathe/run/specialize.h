// What trained nets are asked: the best of them for every latency target on a device.
#pragma once

#include <filesystem>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/run/answers/answers.h"
#include "lathe/run/answers/device_noise.h"
#include "lathe/run/options.h"
#include "lathe/run/result.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/accuracy_stage.h"
#include "lathe/run/stages/latency_stage.h"

namespace lathe::run {

/// Of the targets, ascending and each once: those that some net meets, and the answers of the
/// others.
struct Asked {
  std::vector<double> feasible_ms;
  std::vector<TargetResult> infeasible;
};

/// The options' targets, or as many as they say evenly over what the nets of `space` that keep the
/// limits take by `latency` at the quantile, which is told (of one net, a little more than it
/// takes); and those that the folder's result has already. No net is taken to be faster than a
/// quarter of what the smallest was seen to take. None can be met where no net keeps the
/// limits.
/// @throws std::invalid_argument unless targets are finite and > 0, or if there are none.
Asked ask(const SpecializeOptions& options, const space::Space& space,
          const latency::LatencyModel& latency, const DeviceNoise& noise, const RunFolder& folder,
          const ProgressFn& progress);

/// The options' limits beside latency, in numbers: shares are of the largest net of the whole
/// space, of which `space` may be a part.
search::Constraints constraints_of(const SpecializeOptions& options, const space::Space& space);

/// What medians may be for targets at the quantile that is asked for.
std::vector<double> medians_of(const std::vector<double>& targets_ms, const DeviceNoise& noise);

/// Stage: one search for all targets, and answers made of what it finds (find_answers()). Where
/// latency and error both add up over the net, as width scores do, the search is the exact front
/// (search::Strategy::kPareto); otherwise as the options say. What the search was is put into
/// `result`, and targets that no net within the limits meets. `feasible_ms` ascend.
std::vector<Answer> searched_answers(const Workshop& shop, const latency::LatencyModel& latency,
                                     const Predictor& predictor,
                                     const std::vector<double>& feasible_ms,
                                     const std::vector<TrainedAlone>& alone, RunResult& result);

/// How answers are trained alone by options without a budget; none, one or two ways.
std::vector<TrainedAlone> ways_alone(const SpecializeOptions& options, const Trained& trained,
                                     const TrainJob& job);

/// Stage: measures, tests and writes every answer, and the result.
void hand_over_all(const Workshop& shop, const std::vector<Answer>& answers, RunResult& result);

/// The figures of a result that are known before the search.
/// @throws std::invalid_argument if nets are to be in 8 bits and the runner times others.
RunResult begun_result(const Trained& trained, const Device& device,
                       const SpecializeOptions& options);

/// Answers targets on a device with the nets that were trained in `from`, a finished folder of
/// `lathe run` or `lathe train`: measures the device, takes the accuracy predictor of `from` or
/// makes one, searches, measures and evaluates, and hands over into `folder` as run() does. Nothing
/// is trained, but where the options say so each answer alone. Stages are resumed as in run().
/// `data_dir` replaces the folder that the data came from, if it isn't empty; `threads` (0: all
/// cores) and `train_device` are for everything but timing. The test set is read once per winner,
/// at the end.
/// @throws Error as open_trained() and measure_device(); std::invalid_argument as ask().
RunResult specialize(const std::filesystem::path& from, const std::filesystem::path& data_dir,
                     int threads, const std::string& train_device, const SpecializeOptions& options,
                     const RunFolder& folder, const ProgressFn& progress);

}  // namespace lathe::run
