#include "lathe/run/cell_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/measure/random_net.h"
#include "lathe/nn/device.h"
#include "lathe/nn/threads.h"
#include "lathe/run/answers/answers.h"
#include "lathe/run/answers/net_input.h"
#include "lathe/run/answers/settle.h"
#include "lathe/run/specialize.h"
#include "lathe/run/stages/fine_tune_stage.h"
#include "lathe/run/stages/latency_stage.h"
#include "lathe/run/stages/measured_cells.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/search/cells/cell_latency.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/space_file.h"

namespace lathe::run {
namespace {

using Clock = std::chrono::steady_clock;

class CellRun {
 public:
  CellRun(const CellRunOptions& options, const RunFolder& folder, const ProgressFn& progress)
      : options_(options), folder_(folder), progress_(progress) {}

  RunResult execute();

 private:
  void open();
  void search();
  Session session(const space::Arch& arch) const;
  search::TargetResult timed(double target_ms) const;
  std::map<space::Arch, Made> train(const std::vector<Winner>& winners) const;
  std::vector<Answer> answers(const std::vector<double>& feasible_ms);
  Workshop shop() const {
    return {trained_, options_.training, *evaluator_, *device_.runner,
            noise_,   options_,          folder_,     progress_};
  }

  const CellRunOptions& options_;
  const RunFolder& folder_;
  const ProgressFn& progress_;
  Trained trained_;  // without weights: each net has its own
  Device device_;
  DeviceNoise noise_;
  std::optional<search::CellLatency> latency_;
  search::CellLogits logits_;
  std::optional<search::NearTarget> near_;
  std::optional<train::Evaluator> evaluator_;
};

void CellRun::open() {
  const TrainJob& job = options_.training;
  trained_.dataset = data::open_dataset(job.dataset, job.data);
  const data::ImageSet& images = trained_.dataset.train;
  const std::string name =
      job.space.empty() ? default_cell_net_space(images.image_size()) : job.space;
  trained_.space = open_space_for(name, trained_.dataset);
  require_cells(*trained_.space);
  trained_.own_device = nn::open_device(job.device);
  trained_.method = options_.search.method;
  trained_.seed = job.seed;
  trained_.augment = job.train.augment;
  progress_({"data", 0, 0,
             fmt::format("{}: {} training, {} validation and {} test images of {} classes; nets of "
                         "{}",
                         trained_.dataset.name, images.size(), trained_.dataset.validation.size(),
                         trained_.dataset.test.size(), images.num_classes(), name)});
  evaluator_.emplace(trained_.dataset,
                     train::EvaluatorOptions{.augment = job.train.augment, .seed = job.seed});
}

void CellRun::search() {
  CellJob job = options_.search;
  job.latency_space = device_.space.get();
  job.latency = device_.latency.get();
  const std::filesystem::path root = folder_.root() / "search";
  std::filesystem::create_directories(root);
  logits_ = search_stage(job, RunFolder::of_other_process(root), progress_).cells.logits;
  near_ = open_near_target(root);
}

/// A session of a net whose weights are random.
Session CellRun::session(const space::Arch& arch) const {
  return run::session(*device_.runner, measure::random_net(*trained_.space, arch, trained_.seed),
                      options_);
}

/// Cells that take a target as measured, the best first: those that a search has found are unlike
/// those that the model was fitted to.
search::TargetResult CellRun::timed(double target_ms) const {
  const double median_ms = target_ms / noise_.tail;
  std::vector<TimedCells> cells = cells_near(*trained_.space, logits_, *latency_, near_, median_ms,
                                             options_.search.search.max_skips);
  search::TargetResult result{.target_ms = target_ms};
  if (cells.empty()) {
    return result;
  }
  time_cells(cells, *trained_.space, *device_.runner, folder_.root() / "timed_cells.jsonl",
             kCellTurns, progress_);
  std::vector<TimedCells> best = answering(cells, median_ms);
  if (!best.empty()) {
    // Winners are judged by sessions: what those say of one net is undone for all.
    const double session_ms = run::median_ms(
        best.front().arch, median_ms, [&](const space::Arch& arch) { return session(arch).ms; });
    const double ratio = session_ms / best.front().measured_ms;
    for (TimedCells& one : cells) {
      one.measured_ms *= ratio;
    }
    best = answering(cells, median_ms);
  }
  if (best.empty()) {  // those that come next to it
    best = std::move(cells);
    std::ranges::sort(best, {}, &TimedCells::measured_ms);
  }
  for (const TimedCells& one : best) {
    // In the order that they are in, which is no accuracy.
    const double place = static_cast<double>(result.candidates.size());
    result.candidates.push_back({one.arch, one.measured_ms * noise_.tail, 1 / (1 + place)});
  }
  result.feasible = true;
  return result;
}

std::map<space::Arch, Made> CellRun::train(const std::vector<Winner>& winners) const {
  std::vector<space::Arch> archs;
  for (const Winner& winner : winners) {
    if (std::find(archs.begin(), archs.end(), winner.candidate.arch) == archs.end()) {
      archs.push_back(winner.candidate.arch);
    }
  }
  const std::vector<TrainedAlone> ways = ways_alone(options_, trained_, options_.training);
  std::vector<graph::Net> nets = fine_tune(trained_, options_.training, *evaluator_, archs,
                                           archs.front(), ways.front().how, folder_, progress_);
  std::map<space::Arch, Made> made;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    made.emplace(archs[i], made_of(shop(), std::move(nets[i]), "alone, from scratch"));
  }
  return made;
}

std::vector<Answer> CellRun::answers(const std::vector<double>& feasible_ms) {
  std::vector<search::TargetResult> targets;
  std::vector<double> targets_ms;
  for (const double target_ms : feasible_ms) {
    search::TargetResult target = timed(target_ms);
    if (target.feasible) {  // within the limit of skips
      targets.push_back(std::move(target));
      targets_ms.push_back(target_ms);
    }
  }
  if (targets.empty()) {
    return {};
  }
  std::vector<Winner> winners =
      winners_of(shop(), targets, {}, [&](const space::Arch& arch) { return session(arch); });
  const std::map<space::Arch, Made> nets = train(winners);
  for (Winner& winner : winners) {
    winner.candidate.predicted_accuracy = nets.at(winner.candidate.arch).quality();
  }
  return settled(winners, targets_ms, nets);
}

RunResult CellRun::execute() {
  const Clock::time_point start = Clock::now();
  open();
  device_ = measure_device(trained_.space, options_.latency, trained_.seed, folder_, progress_);
  latency_.emplace(*device_.space, *device_.latency);
  noise_ = measure_noise(device_, options_, folder_, progress_);
  Asked asked = ask(options_, *device_.space, *device_.latency, noise_, folder_, progress_);
  RunResult result = begun_result(trained_, device_, options_);
  result.targets = std::move(asked.infeasible);
  if (options_.dry_run || asked.feasible_ms.empty()) {
    return result;
  }
  search();
  if (const std::vector<Answer> found = answers(asked.feasible_ms); !found.empty()) {
    hand_over_all(shop(), found, result);
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  write_json(folder_.result(), to_json(result));
  return result;
}

}  // namespace

std::string default_cell_net_space(int image_size) {
  constexpr int kLargestSmallImage = 48;
  return image_size <= kLargestSmallImage ? "darts_c16_l5" : "darts_imagenet_c24_l8";
}

RunResult run_cells(const CellRunOptions& options, const RunFolder& folder,
                    const ProgressFn& progress) {
  if (!(options.from_scratch_epochs > 0)) {
    throw std::invalid_argument("[run::run_cells] from_scratch_epochs must be > 0, got " +
                                std::to_string(options.from_scratch_epochs));
  }
  nn::set_num_threads(threads_of(options.training.threads));
  return CellRun(options, folder, progress).execute();
}

}  // namespace lathe::run
