#include "lathe/train/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/nn/grow.h"
#include "lathe/train/batch_feed.h"
#include "lathe/train/checkpoint.h"
#include "lathe/train/metrics.h"
#include "lathe/train/step.h"
#include "lathe/train/weight_average.h"

namespace lathe::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStepsPerReport = 10;
constexpr const char* kAverage = "average";
constexpr const char* kOptimizer = "optimizer";
constexpr const char* kTeacher = "teacher";
constexpr const char* kAverageValues = "values";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void copy_flat(const at::Tensor& target, const FloatTensor& source) {
  const c10::NoGradGuard no_grad;
  target.copy_(nn::to_torch(source));
}

/// Loss, steps and time since something began.
struct Tally {
  double loss = 0;
  std::int64_t steps = 0;
  double seconds = 0;

  void add(double step_loss, double step_seconds) {
    loss += step_loss;
    ++steps;
    seconds += step_seconds;
  }
  double mean_loss() const { return loss / static_cast<double>(steps); }
  double images_per_s(std::int64_t batch_size) const {
    return static_cast<double>(steps * batch_size) / seconds;
  }
};

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
                        .group = &group_,
                        .reducer = options.reducer}),
        optimizer_(make_optimizer(weights.parameters(), options.optimizer)),
        evaluator_(dataset, {.augment = options.augment, .seed = options.seed}),
        metrics_(options.folder) {
    if (options.average_decay > 0) {
      average_.emplace(weights.parameters(), options.average_decay);
    }
  }

  std::int64_t execute();

 private:
  bool writes() const { return group_.rank() == 0; }
  void require_agreement();
  std::int64_t begin();
  std::int64_t restore();
  void restore_tensors(const Checkpoint& checkpoint);
  void save(std::int64_t steps_done) const;
  void share(const nn::SharedWeights& weights);
  void share_weights();
  void open_feed(std::int64_t start);
  void prepare(const StepPlan& plan);
  double train_step(std::int64_t step);
  StepResult run_passes(std::int64_t step, const std::vector<Pass>& passes);
  void report(std::int64_t step);
  void finish_epoch(std::int64_t steps_done);
  void keep_pace(std::int64_t steps_done);
  std::vector<double> validate(const std::vector<Strategy::Reported>& reported);
  nlohmann::json settings() const;
  std::vector<at::Tensor> companions() const;
  nn::SharedWeights& new_teacher();

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
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  std::unique_ptr<nn::SharedWeights> teacher_;
  Evaluator evaluator_;
  Metrics metrics_;
  std::optional<PaceWatch> pace_;
  std::optional<BatchFeed> feed_;
  Tally since_report_, in_epoch_;
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
          {"augment", data::to_json(options_.augment)},
          {"image_size", dataset_.train.image_size()},
          {"seed", options_.seed}};
}

/// What channel sorts permute beside the weights.
std::vector<at::Tensor> Run::companions() const {
  std::vector<at::Tensor> flat;
  for (const auto& [name, buffer] : optimizer_->buffers()) {
    flat.push_back(buffer);
  }
  if (average_) {
    flat.push_back(average_->values());
  }
  return flat;
}

nn::SharedWeights& Run::new_teacher() {
  teacher_ = std::make_unique<nn::SharedWeights>(weights_.name(), space_.graph(space_.largest()),
                                                 space_.elastic_kernels(),
                                                 nn::WeightOptions{.device = weights_.device()});
  return *teacher_;
}

/// Processes that differ would wait for each other in vain, or train another net together.
void Run::require_agreement() {
  nlohmann::json all = settings();
  all.update(dist::versions());
  all["weights"] = weights_.name();
  all["parameters"] = weights_.parameters().size();
  all["total_steps"] = strategy_.total_steps();
  all["validation_images"] = options_.validation_images;
  group_.require_same(all);
}

/// Rank 0's tensors become everyone's.
void Run::share(const nn::SharedWeights& weights) {
  group_.broadcast(weights.parameters().values());
  std::vector<at::Tensor> flat;
  for (const auto& [name, statistic] : weights.statistics()) {
    flat.push_back(statistic.reshape(-1));
  }
  if (flat.empty()) {
    return;
  }
  const at::Tensor all = at::cat(flat);  // one message in place of hundreds
  group_.broadcast(all);
  std::int64_t begin = 0;
  for (const at::Tensor& statistic : flat) {  // a view: they are contiguous
    statistic.copy_(all.narrow(0, begin, statistic.numel()));
    begin += statistic.numel();
  }
}

void Run::share_weights() {
  share(weights_);
  for (const at::Tensor& flat : companions()) {
    group_.broadcast(flat);
  }
}

/// The step to go on with. Rank 0 alone reads its folder, which others may not see.
std::int64_t Run::begin() {
  const nlohmann::json begun = group_.from_rank_0([&]() -> nlohmann::json {
    const std::int64_t start = restore();
    return {{"start", start},
            {"strategy", strategy_.state()},
            {"updates", optimizer_->updates()},
            {"epoch_loss", in_epoch_.loss},
            {"epoch_steps", in_epoch_.steps},
            {"teacher", teacher_ != nullptr}};
  });
  if (!writes()) {
    strategy_.restore(begun.at("strategy"));
    optimizer_->set_updates(begun.at("updates").get<std::int64_t>());
    in_epoch_ = {.loss = begun.at("epoch_loss").get<double>(),
                 .steps = begun.at("epoch_steps").get<std::int64_t>()};
    if (begun.at("teacher").get<bool>()) {
      new_teacher();
    }
  }
  share_weights();
  if (teacher_) {
    share(*teacher_);
  }
  return begun.at("start").get<std::int64_t>();
}

void Run::save(std::int64_t steps_done) const {
  Checkpoint checkpoint{.weights_of = weights_.name(),
                        .steps_done = steps_done,
                        .settings = settings(),
                        .state = {{"strategy", strategy_.state()},
                                  {"updates", optimizer_->updates()},
                                  {"epoch_loss", in_epoch_.loss},
                                  {"epoch_steps", in_epoch_.steps}},
                        .weights = weights_.state()};
  for (const auto& [name, buffer] : optimizer_->buffers()) {
    checkpoint.parts[kOptimizer][name] = nn::from_torch(buffer);
  }
  if (average_) {
    checkpoint.parts[kAverage][kAverageValues] = nn::from_torch(average_->values());
  }
  if (teacher_) {
    checkpoint.parts[kTeacher] = teacher_->state();
  }
  save_checkpoint(checkpoint_path(options_.folder), checkpoint);
}

/// Checks that everything fits before anything is changed.
void Run::restore_tensors(const Checkpoint& checkpoint) {
  const std::string where = checkpoint_path(options_.folder).string();
  weights_.check_state(checkpoint.weights, where);
  std::list<std::pair<at::Tensor, const FloatTensor*>> flat;
  const auto expect = [&](const std::string& part, const std::string& name,
                          const at::Tensor& target) {
    const auto found = checkpoint.parts.find(part);
    const bool there = found != checkpoint.parts.end() && found->second.contains(name);
    if (!there || found->second.at(name).shape != target.sizes().vec()) {
      throw Error(where + ": the " + part + "'s " + name + " is missing or of another size");
    }
    flat.emplace_back(target, &found->second.at(name));
  };
  for (const auto& [name, buffer] : optimizer_->buffers()) {
    expect(kOptimizer, name, buffer);
  }
  if (average_) {
    expect(kAverage, kAverageValues, average_->values());
  }
  const auto teacher = checkpoint.parts.find(kTeacher);
  if (teacher != checkpoint.parts.end()) {
    new_teacher().load_state(teacher->second, where);
  }
  weights_.load_state(checkpoint.weights, where);
  for (const auto& [target, source] : flat) {
    copy_flat(target, *source);
  }
}

std::int64_t Run::restore() {
  const std::filesystem::path path = checkpoint_path(options_.folder);
  if (!std::filesystem::exists(path)) {
    metrics_.keep_until(0);
    return 0;
  }
  const Checkpoint checkpoint = load_checkpoint(path, weights_.name());
  check_settings(checkpoint, settings(), path);
  const std::string where = path.string() + ": state";
  const auto strategy_state = checkpoint.state.find("strategy");
  const auto updates = json_member<std::int64_t>(checkpoint.state, "updates", where);
  Tally in_epoch{.loss = json_member<double>(checkpoint.state, "epoch_loss", where),
                 .steps = json_member<std::int64_t>(checkpoint.state, "epoch_steps", where)};
  strategy_.restore(strategy_state == checkpoint.state.end() ? nlohmann::json() : *strategy_state);
  restore_tensors(checkpoint);
  optimizer_->set_updates(updates);
  in_epoch_ = in_epoch;
  metrics_.keep_until(checkpoint.steps_done);
  return checkpoint.steps_done;
}

void Run::open_feed(std::int64_t start) {
  const bool ahead = options_.loader_threads < 0 && dataset_.train.source().reads_files();
  feed_.emplace(
      dataset_,
      BatchFeedOptions{
          .batch_size = options_.batch_size,
          .shards = options_.shards,
          .here = dist::shards_of(group_.rank(), group_.world_size(), options_.shards),
          .augment = options_.augment,
          .image_size = [this](std::int64_t step) { return strategy_.image_size(step); },
          .seed = options_.seed,
          .first_step = start,
          .loader_threads = ahead ? options_.threads : std::max(0, options_.loader_threads)});
}

/// What a plan asks for before its passes.
void Run::prepare(const StepPlan& plan) {
  if (plan.keep_teacher) {
    share(weights_);  // other ranks' running statistics are those of their own shards
    new_teacher().load_state(weights_.state(), "[train::train] the new teacher");
  }
  if (plan.sort_channels) {
    nn::sort_channels(weights_, space_, plan.sort_channels->trained, companions());
  }
  if (plan.grow_from) {
    std::vector<at::Tensor> averages;
    if (average_) {
      averages.push_back(average_->values());
    }
    nn::grow(weights_, space_, *plan.grow_from, averages);
  }
  if (plan.restart_optimizer) {
    optimizer_->restart();
  }
}

StepResult Run::run_passes(std::int64_t step, const std::vector<Pass>& passes) {
  std::list<nn::Executor> nets;  // that stay where they are
  std::vector<StepPass> step_passes;
  bool needs_teacher = false;
  for (const Pass& pass : passes) {
    nets.emplace_back(space_.graph(pass.arch));
    step_passes.push_back({.net = &nets.back(),
                           .losses = pass.losses,
                           .dropout = pass.dropout,
                           .observe = pass.observe});
    for (const LossTerm& term : pass.losses) {
      needs_teacher = needs_teacher || term.target == Target::kTeacher;
    }
  }
  Teacher teacher = needs_teacher ? options_.teacher : Teacher{};
  if (needs_teacher && teacher_) {
    space::Arch arch = space_.largest();
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      if (space_.decisions()[i].group == "r") {
        arch.choices[i] = passes.front().arch.choices[i];
      }
    }
    nets.emplace_back(space_.graph(arch));
    teacher = {.weights = teacher_.get(), .net = &nets.back()};
  }
  const auto batch_of = [&](int shard) { return feed_->take(step, shard); };
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
  optimizer_->step(plan.learning_rate);
  if (average_) {
    average_->update(step + 1);
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
    nets.push_back(space_.graph(reported[i].arch));
  }
  if (average_) {
    average_->swap();
  }
  const std::vector<double> found =
      evaluator_.validation_top1(weights_, nets, options_.validation_images, &step_.workers());
  if (average_) {
    average_->swap();
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
      {"loss", in_epoch_.mean_loss()},
      {"learning_rate", learning_rate_},
      {"nets_per_step", nets_per_step_},
      {"images_per_s", in_epoch_.images_per_s(options_.batch_size)}};
  std::ostringstream text;
  text.precision(4);
  text << "step " << steps_done << ": loss " << line["loss"].get<double>() << ", "
       << std::llround(line["images_per_s"].get<double>()) << " images/s";
  if (options_.validation_images > 0) {
    const std::vector<Strategy::Reported> reported = strategy_.reported();
    const std::vector<double> top1 = validate(reported);
    for (std::size_t i = 0; i < reported.size(); ++i) {
      line[reported[i].name + "_top1"] = top1[i];
      text << (i == 0 ? ", validation top-1 " : ", ") << 100 * top1[i] << "% " << reported[i].name;
    }
  }
  line.update(strategy_.figures());
  in_epoch_ = {};
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
    in_epoch_.add(loss, seconds);
    if (pace_) {
      keep_pace(step + 1);
    }
    const bool last = step + 1 == strategy_.total_steps();
    const bool epoch_ends = (step + 1) % steps_per_epoch_ == 0 || last;
    if (epoch_ends) {
      share_weights();
      finish_epoch(step + 1);
    }
    const bool due = epoch_ends || seconds_since(saved) >= options_.checkpoint_s ||
                     (options_.checkpoint_steps > 0 && (step + 1) % options_.checkpoint_steps == 0);
    if (due && writes()) {
      save(step + 1);
      saved = Clock::now();
    }
    if ((step + 1) % kStepsPerReport == 0 || last) {
      report(step);
    }
  }
  if (average_) {
    average_->swap();
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

void load_trained(const std::filesystem::path& path, nn::SharedWeights& weights) {
  const Checkpoint checkpoint = load_checkpoint(path, weights.name());
  weights.check_state(checkpoint.weights, path.string());
  const auto average = checkpoint.parts.find(kAverage);
  if (average != checkpoint.parts.end()) {
    const auto values = average->second.find(kAverageValues);
    const at::Tensor target = weights.parameters().values();
    if (values == average->second.end() || values->second.shape != target.sizes().vec()) {
      throw Error(path.string() + ": the average's values are missing or of another size");
    }
    weights.load_state(checkpoint.weights, path.string());
    copy_flat(target, values->second);
    return;
  }
  weights.load_state(checkpoint.weights, path.string());
}

}  // namespace lathe::train
