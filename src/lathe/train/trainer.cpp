#include "lathe/train/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/graph/input_size.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/nn/grow.h"
#include "lathe/train/batch_feed.h"
#include "lathe/train/records/metrics.h"
#include "lathe/train/records/train_state.h"
#include "lathe/train/step/step.h"

namespace lathe::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStepsPerReport = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// `net` for images of another size than its own, where there is one.
graph::Graph at_size(graph::Graph net, int image_size) {
  return image_size > 0 ? graph::with_input_size(net, image_size) : net;
}

class Run {
 public:
  Run(nn::SharedWeights& weights, const space::Space& space, Strategy& strategy,
      const data::Dataset& dataset, const TrainOptions& options, const ProgressFn& progress)
      : weights_(weights),
        space_(space),
        strategy_(strategy),
        dataset_(dataset),
        options_(options),
        progress_(progress),
        group_(options.group != nullptr ? *options.group : alone_),
        steps_per_epoch_(dataset.train.size() / options.batch_size),
        step_(weights, {.shards = options.shards,
                        .threads = options.threads,
                        .label_smoothing = options.label_smoothing,
                        .seed = options.seed,
                        .precision = options.precision,
                        .group = &group_,
                        .reducer = options.reducer}),
        state_(weights, space, strategy, options.optimizer, options.average_decay),
        evaluator_(dataset, {.augment = options.augment, .seed = options.seed}),
        metrics_(options.folder) {}

  std::int64_t execute();

 private:
  bool writes() const { return group_.rank() == 0; }
  void require_agreement();
  std::int64_t begin();
  void open_feed(std::int64_t start);
  void prepare(const StepPlan& plan);
  double train_step(std::int64_t step);
  StepResult run_passes(std::int64_t step, const std::vector<Pass>& passes);
  void report(std::int64_t step);
  void finish_epoch(std::int64_t steps_done);
  void keep_pace(std::int64_t steps_done);
  std::vector<double> validate(const std::vector<Strategy::Reported>& reported);
  nlohmann::json settings() const;

  nn::SharedWeights& weights_;
  const space::Space& space_;
  Strategy& strategy_;
  const data::Dataset& dataset_;
  const TrainOptions& options_;
  const ProgressFn& progress_;
  dist::ProcessGroup alone_;
  dist::ProcessGroup& group_;
  std::int64_t steps_per_epoch_;
  Step step_;
  TrainState state_;
  Evaluator evaluator_;
  Metrics metrics_;
  std::optional<PaceWatch> pace_;
  std::optional<BatchFeed> feed_;
  Tally since_report_;
  double learning_rate_ = 0;       // of the last step
  std::size_t nets_per_step_ = 0;  // likewise
};

nlohmann::json Run::settings() const {
  return {{"strategy", strategy_.to_json()},
          {"dataset", dataset_.name},
          {"train_images", dataset_.train.size()},
          {"batch_size", options_.batch_size},
          {"shards", options_.shards},
          {"optimizer", to_json(options_.optimizer)},
          {"average_decay", options_.average_decay},
          {"label_smoothing", options_.label_smoothing},
          {"auxiliary_weight", options_.auxiliary_weight},
          {"augment", data::to_json(options_.augment)},
          {"precision", nn::to_string(options_.precision)},
          {"image_size", dataset_.train.image_size()},
          {"seed", options_.seed}};
}

/// Processes that differ would wait for each other in vain, or train another net together.
void Run::require_agreement() {
  nlohmann::json all = settings();
  all.update(dist::versions());
  all["weights"] = weights_.name();
  all["parameters"] = weights_.parameters().num_elements();
  all["total_steps"] = strategy_.total_steps();
  all["validation_images"] = options_.validation_images;
  group_.require_same(all);
}

/// The step to go on with. Rank 0 alone reads its folder, which others may not see.
std::int64_t Run::begin() {
  const nlohmann::json begun = group_.from_rank_0([&]() -> nlohmann::json {
    const std::int64_t start = state_.restore(checkpoint_path(options_.folder), settings());
    metrics_.keep_until(start);
    return {
        {"start", start}, {"counted", state_.counted()}, {"teacher", state_.teacher != nullptr}};
  });
  if (!writes()) {
    state_.restore_counted(begun.at("counted"));
    if (begun.at("teacher").get<bool>()) {
      state_.new_teacher();
    }
  }
  state_.share(group_);
  if (state_.teacher) {
    share(*state_.teacher, group_);
  }
  return begun.at("start").get<std::int64_t>();
}

void Run::open_feed(std::int64_t start) {
  feed_.emplace(dataset_,
                BatchFeedOptions{
                    .batch_size = options_.batch_size,
                    .shards = options_.shards,
                    .here = dist::shards_of(group_.rank(), group_.world_size(), options_.shards),
                    .augment = options_.augment,
                    .image_size = [this](std::int64_t step) { return strategy_.image_size(step); },
                    .seed = options_.seed,
                    .first_step = start,
                    .loader_threads = loader_threads(options_.loader_threads, dataset_,
                                                     weights_.device(), options_.threads)});
}

/// What a plan asks for before its passes.
void Run::prepare(const StepPlan& plan) {
  if (plan.keep_teacher) {
    share(weights_, group_);  // other ranks' running statistics are those of their own shards
    state_.new_teacher().load_state(weights_.state(), "[train::train] the new teacher");
  }
  if (plan.sort_channels) {
    nn::sort_channels(weights_, space_, plan.sort_channels->trained, state_.companions());
  }
  if (plan.grow_from) {
    std::vector<at::Tensor> averages;
    if (state_.average) {
      averages.push_back(state_.average->values());
    }
    nn::grow(weights_, space_, *plan.grow_from, averages);
  }
  if (plan.restart_optimizer) {
    state_.optimizer->restart();
  }
}

StepResult Run::run_passes(std::int64_t step, const std::vector<Pass>& passes) {
  std::list<nn::Executor> nets;  // that stay where they are
  std::vector<StepPass> step_passes;
  bool needs_teacher = false;
  for (const Pass& pass : passes) {
    nets.emplace_back(
        at_size(pass.drop_path > 0 ? space_.training_graph(pass.arch) : space_.graph(pass.arch),
                pass.image_size));
    const bool two_heads =
        nets.back().graph().output_shape().channels == 2 * dataset_.train.num_classes();
    step_passes.push_back({.net = &nets.back(),
                           .losses = pass.losses,
                           .dropout = pass.dropout,
                           .observe = pass.observe,
                           .drop_path = pass.drop_path,
                           .auxiliary_weight = two_heads ? options_.auxiliary_weight : 0});
    for (const LossTerm& term : pass.losses) {
      needs_teacher = needs_teacher || term.target == Target::kTeacher;
    }
  }
  Teacher teacher = needs_teacher ? options_.teacher : Teacher{};
  if (needs_teacher && state_.teacher) {
    space::Arch arch = space_.largest();
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      if (space_.decisions()[i].group == "r") {
        arch.choices[i] = passes.front().arch.choices[i];
      }
    }
    nets.emplace_back(space_.graph(arch));
    teacher = {.weights = state_.teacher.get(), .net = &nets.back()};
  }
  const auto batch_of = [&](int shard) {
    return on_device(feed_->take(step, shard), weights_.device(),
                     fastest_layout(weights_.device(), options_.precision));
  };
  return step_.run(step, step_passes, batch_of, teacher);
}

double Run::train_step(std::int64_t step) {
  const StepPlan plan = strategy_.plan(step);
  prepare(plan);
  const StepResult result = run_passes(step, plan.passes);
  if (!std::isfinite(result.loss)) {
    throw Error("training diverged: the loss of step " + std::to_string(step) +
                " is not finite; lower --lr (now " + std::to_string(plan.learning_rate) + ")");
  }
  state_.optimizer->step(plan.learning_rate, &step_.workers());
  if (state_.average) {
    state_.average->update(step + 1);
  }
  if (!result.observations.empty()) {
    strategy_.observe(step, result.observations);
  }
  learning_rate_ = plan.learning_rate;
  nets_per_step_ = plan.passes.size();
  return result.loss;
}

void Run::report(std::int64_t step) {
  std::ostringstream text;
  text.precision(3);
  text << "epoch " << step / steps_per_epoch_ + 1 << "  loss " << since_report_.mean_loss()
       << "  lr " << learning_rate_ << "  "
       << std::llround(since_report_.images_per_s(options_.batch_size)) << " images/s";
  if (writes()) {
    progress_({"train", step + 1, strategy_.total_steps(), text.str()});
  }
  since_report_ = {};
}

/// Validation accuracies; each process finds those of some of the nets.
std::vector<double> Run::validate(const std::vector<Strategy::Reported>& reported) {
  std::vector<std::size_t> own;
  std::vector<graph::Graph> nets;
  for (auto i = static_cast<std::size_t>(group_.rank()); i < reported.size();
       i += static_cast<std::size_t>(group_.world_size())) {
    own.push_back(i);
    nets.push_back(at_size(space_.graph(reported[i].arch), reported[i].image_size));
  }
  if (state_.average) {
    state_.average->swap();
  }
  const std::vector<double> found =
      evaluator_.validation_top1(weights_, nets, options_.validation_images, &step_.workers());
  if (state_.average) {
    state_.average->swap();
  }
  const at::Tensor all = at::zeros({static_cast<std::int64_t>(reported.size())},
                                   at::TensorOptions(at::kDouble).device(weights_.device()));
  for (std::size_t i = 0; i < own.size(); ++i) {
    all[static_cast<std::int64_t>(own[i])].fill_(found[i]);
  }
  group_.all_reduce_sum(all).wait();
  const at::Tensor top1 = all.cpu();
  return {top1.data_ptr<double>(), top1.data_ptr<double>() + top1.numel()};
}

void Run::finish_epoch(std::int64_t steps_done) {
  nlohmann::ordered_json line{
      {"step", steps_done},
      {"epoch", static_cast<double>(steps_done) / static_cast<double>(steps_per_epoch_)},
      {"loss", state_.in_epoch.mean_loss()},
      {"learning_rate", learning_rate_},
      {"nets_per_step", nets_per_step_},
      {"images_per_s", state_.in_epoch.images_per_s(options_.batch_size)}};
  std::ostringstream text;
  text.precision(4);
  text << "step " << steps_done << ": loss " << line["loss"].get<double>() << ", "
       << std::llround(line["images_per_s"].get<double>()) << " images/s";
  if (options_.validation_images > 0) {
    const std::vector<Strategy::Reported> reported = strategy_.reported(steps_done);
    const std::vector<double> top1 = validate(reported);
    for (std::size_t i = 0; i < reported.size(); ++i) {
      line[reported[i].name + "_top1"] = top1[i];
      text << (i == 0 ? ", validation top-1 " : ", ") << 100 * top1[i] << "%";
      if (reported[i].name != Strategy::kOnlyNet) {
        text << " " << reported[i].name;
      }
    }
    if (!reported.empty() && reported.front().image_size > 0) {
      line["image_size"] = reported.front().image_size;
      text << ", on images of " << reported.front().image_size << " pixels";
    }
  }
  line.update(strategy_.figures());
  state_.in_epoch = {};
  if (writes()) {
    metrics_.append(line);
    progress_({"train", 0, 0, text.str()});
  }
}

void Run::keep_pace(std::int64_t steps_done) {
  const std::int64_t planned = strategy_.total_steps();
  const std::optional<std::int64_t> fit =
      pace_->steps_that_fit(steps_done, seconds_since(Clock::time_point{}));
  if (fit && steps_done < planned && strategy_.shorten(steps_done, *fit)) {
    std::ostringstream text;
    text.precision(2);
    text << "steps take " << pace_->slowdown()
         << " times as long as planned: what is left is done in " << *fit << " instead of "
         << planned - steps_done;
    progress_({"train", 0, 0, text.str()});
  }
}

std::int64_t Run::execute() {
  require_agreement();
  const std::int64_t start = begin();
  open_feed(start);
  Clock::time_point saved = Clock::now();
  if (options_.step_s && group_.world_size() == 1) {
    pace_.emplace(strategy_, options_.step_s, start, seconds_since(Clock::time_point{}),
                  options_.pace_look_s);
  }
  for (std::int64_t step = start; step < strategy_.total_steps(); ++step) {
    const Clock::time_point before = Clock::now();
    const double loss = train_step(step);
    const double seconds = seconds_since(before);
    since_report_.add(loss, seconds);
    state_.in_epoch.add(loss, seconds);
    if (pace_) {
      keep_pace(step + 1);
    }
    const bool last = step + 1 == strategy_.total_steps();
    const bool epoch_ends = (step + 1) % steps_per_epoch_ == 0 || last;
    if (epoch_ends) {
      state_.share(group_);
      finish_epoch(step + 1);
    }
    const bool due = epoch_ends || seconds_since(saved) >= options_.checkpoint_s ||
                     (options_.checkpoint_steps > 0 && (step + 1) % options_.checkpoint_steps == 0);
    if (due && writes()) {
      state_.save(checkpoint_path(options_.folder), settings(), step + 1);
      saved = Clock::now();
    }
    if ((step + 1) % kStepsPerReport == 0 || last) {
      report(step);
    }
  }
  if (state_.average) {
    state_.average->swap();
  }
  return strategy_.total_steps() - start;
}

}  // namespace

std::filesystem::path checkpoint_path(const std::filesystem::path& folder) {
  return folder / "checkpoint" / "supernet.safetensors";
}

std::int64_t train(nn::SharedWeights& weights, const space::Space& space, Strategy& strategy,
                   const data::Dataset& dataset, const TrainOptions& options,
                   const ProgressFn& progress) {
  if (options.batch_size < 1 || options.shards < 1 || options.batch_size % options.shards != 0) {
    throw std::invalid_argument("[train::train] batch_size " + std::to_string(options.batch_size) +
                                " must be a multiple of shards " + std::to_string(options.shards));
  }
  if (dataset.train.size() < options.batch_size) {
    throw std::invalid_argument("[train::train] needs a batch of " +
                                std::to_string(options.batch_size) + " training images, got " +
                                std::to_string(dataset.train.size()));
  }
  return Run(weights, space, strategy, dataset, options, progress).execute();
}

}  // namespace lathe::train
