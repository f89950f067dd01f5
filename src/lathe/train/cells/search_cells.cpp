#include "lathe/train/cells/search_cells.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/families/genotype.h"
#include "lathe/train/batch_feed.h"
#include "lathe/train/cells/bilevel_step.h"
#include "lathe/train/cells/search_state.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/records/metrics.h"
#include "lathe/train/schedule.h"
#include "lathe/train/trainer.h"

namespace lathe::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kHalvesStream = 0x68616c66;
constexpr std::uint64_t kLogitsSeed = 0x6c6f6769;
constexpr std::uint64_t kReferenceStream = 0x72656665;
constexpr int kReferenceDraws = 2000;
constexpr int kEigenIterations = 8;
constexpr std::size_t kEigenWindow = 5;  // epochs
constexpr std::int64_t kStepsPerReport = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(const SearchCellsOptions& o) {
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) {
      throw std::invalid_argument("[train::search_cells] " + what);
    }
  };
  require(o.batch_size >= 1 && o.shards >= 1 && o.batch_size % o.shards == 0,
          "batch_size " + std::to_string(o.batch_size) + " must be a multiple of shards " +
              std::to_string(o.shards));
  require(o.first_logits_epoch >= 0 && o.first_logits_epoch < o.epochs,
          "first_logits_epoch must be in [0, epochs), got " + std::to_string(o.first_logits_epoch));
  for (const auto& [name, value] : {std::pair{"goal.weight", o.goal.weight},
                                    {"goal.target", o.goal.target},
                                    {"goal.ascent", o.goal.ascent},
                                    {"entropy_weight", o.entropy_weight},
                                    {"perturbation", o.perturbation},
                                    {"auxiliary_skip", o.auxiliary_skip},
                                    {"eigenvalue_growth", o.eigenvalue_growth}}) {
    require(value >= 0 && std::isfinite(value),
            std::string(name) + " must be >= 0, got " + std::to_string(value));
  }
  require(o.goal.latency != nullptr || (o.goal.weight == 0 && o.goal.target == 0),
          "a weight or a target of latency needs a latency model");
}

void check(const data::Dataset& dataset) {
  const std::vector<int> all = data::labels(dataset.train);
  if (std::set<int>(all.begin(), all.end()).size() < 2) {
    throw Error(dataset.name + ": all training images are of one class; a search needs two");
  }
}

class Run {
 public:
  Run(nn::SharedWeights& weights, CellMixer& mixer, const space::CellSearchNet& net,
      const data::Dataset& dataset, const SearchCellsOptions& options, const ProgressFn& progress)
      : mixer_(mixer),
        dataset_(dataset),
        options_(options),
        progress_(progress),
        group_(options.group != nullptr ? *options.group : alone_),
        here_(dist::shards_of(group_.rank(), group_.world_size(), options.shards)),
        halves_(search_halves(dataset, options.seed)),
        net_(net.graph),
        step_(weights, mixer, net_, options, group_),
        state_(weights, mixer, options),
        metrics_(options.folder) {
    steps_per_epoch_ = halves_.weights.train.size() / options.batch_size;
    total_steps_ = steps_of(options.epochs, options.batch_size, halves_.weights.train.size());
  }

  SearchedCells execute();

 private:
  bool writes() const { return group_.rank() == 0; }
  void require_agreement();
  std::int64_t begin();
  std::int64_t epoch_of(std::int64_t step) const { return step / steps_per_epoch_; }
  double learning_rate(std::int64_t step) const;
  bool searches(std::int64_t step) const {
    return static_cast<double>(step) >=
           options_.first_logits_epoch * static_cast<double>(steps_per_epoch_);
  }
  double reference() const;
  void train_step(std::int64_t step, BatchFeed& of_weights, BatchFeed& of_logits);
  void report(std::int64_t step);
  void finish_epoch(std::int64_t steps_done);
  std::vector<Batch> first_images() const;
  bool goes_wrong(std::int64_t steps_done);
  void end_epoch(std::int64_t steps_done);
  double validate();
  double derived(const search::CellLogits& logits) const;
  nlohmann::json settings() const;

  CellMixer& mixer_;
  const data::Dataset& dataset_;
  const SearchCellsOptions& options_;
  const ProgressFn& progress_;
  dist::ProcessGroup alone_;
  dist::ProcessGroup& group_;
  dist::ShardRange here_;  // of this process
  SearchHalves halves_;
  nn::Executor net_;
  BilevelStep step_;
  SearchState state_;
  Metrics metrics_;
  std::int64_t steps_per_epoch_ = 0;
  std::int64_t total_steps_ = 0;
  double reference_ = 0;
  double since_report_s_ = 0;
  std::int64_t since_report_ = 0;
};

nlohmann::json Run::settings() const {
  const SearchCellsOptions& o = options_;
  return {{"dataset", dataset_.name},
          {"train_images", dataset_.train.size()},
          {"image_size", dataset_.train.image_size()},
          {"epochs", o.epochs},
          {"first_logits_epoch", o.first_logits_epoch},
          {"second_order", o.second_order},
          {"batch_size", o.batch_size},
          {"shards", o.shards},
          {"learning_rate", o.learning_rate},
          {"final_learning_rate", o.final_learning_rate},
          {"optimizer", to_json(o.optimizer)},
          {"logits_learning_rate", o.logits_learning_rate},
          {"logits_optimizer", to_json(o.logits_optimizer)},
          {"goal",
           {{"weight", o.goal.weight},
            {"target", o.goal.target},
            {"ascent", o.goal.ascent},
            {"max_skips", o.goal.target > 0 ? nlohmann::json(o.max_skips) : nlohmann::json()},
            {"unit", o.goal.unit},
            {"reference", reference_},
            {"estimator", search::to_string(o.goal.estimate.estimator)},
            {"edges", search::to_string(o.goal.estimate.edges)},
            {"draws", o.goal.estimate.draws},
            {"temperature", o.goal.estimate.temperature},
            {"prediction_noise", o.goal.estimate.prediction_noise}}},
          {"entropy_weight", o.entropy_weight},
          {"perturbation", o.perturbation},
          {"auxiliary_skip", o.auxiliary_skip},
          {"eigenvalue_growth", o.eigenvalue_growth},
          {"augment", data::to_json(o.augment)},
          {"seed", o.seed}};
}

/// Processes that differ would wait for each other in vain, or search other cells.
void Run::require_agreement() {
  nlohmann::json all = settings();
  all.update(dist::versions());
  all["weights"] = state_.weights.name();
  all["parameters"] = state_.weights.parameters().num_elements();
  all["total_steps"] = total_steps_;
  group_.require_same(all);
}

/// The step to go on with. Rank 0 alone reads its folder, which others may not see.
std::int64_t Run::begin() {
  const nlohmann::json begun = group_.from_rank_0([&]() -> nlohmann::json {
    const std::int64_t start = state_.restore(checkpoint_path(options_.folder), settings());
    metrics_.keep_until(start);
    return {{"start", start}, {"counted", state_.counted()}};
  });
  if (!writes()) {
    state_.restore_counted(begun.at("counted"), "rank 0's state");
  }
  state_.share(group_);
  return begun.at("start").get<std::int64_t>();
}

double Run::learning_rate(std::int64_t step) const {
  const double last = std::max(1.0, std::ceil(options_.epochs));
  const double part = static_cast<double>(epoch_of(step)) / last;
  return options_.final_learning_rate + (options_.learning_rate - options_.final_learning_rate) *
                                            (1 + std::cos(std::numbers::pi * part)) / 2;
}

/// What the goal's weight is a multiple of: the target, or the mean of cells drawn evenly.
double Run::reference() const {
  const LatencyGoal& goal = options_.goal;
  if (goal.latency == nullptr || goal.target > 0) {
    return goal.target;
  }
  Rng rng = Rng::derived(options_.seed, {kReferenceStream});
  search::ExpectedLatencyOptions estimate{.draws = kReferenceDraws};
  estimate.edges = goal.estimate.edges == search::EdgeDraw::kByWeight
                       ? search::EdgeDraw::kTwoPerNode
                       : goal.estimate.edges;
  estimate.estimator = search::LatencyEstimator::kReinforce;  // one prediction a draw
  return search::expected_latency(search::CellLogits::zero(mixer_.kinds(), false), *goal.latency,
                                  estimate, rng)
      .latency_ms;
}

void Run::train_step(std::int64_t step, BatchFeed& of_weights, BatchFeed& of_logits) {
  const auto begin = Clock::now();
  const double rate = learning_rate(step);
  const auto batches = [&](BatchFeed& feed) {
    std::vector<Batch> all;
    for (int i = 0; i < here_.count; ++i) {
      all.push_back(on_device(feed.take(step, here_.first + i), state_.weights.device(),
                              fastest_layout(state_.weights.device(), nn::Precision::kFloat32)));
    }
    return all;
  };
  const std::vector<Batch> training = batches(of_weights);
  const std::vector<Batch> validation = batches(of_logits);
  const double auxiliary = options_.auxiliary_skip *
                           (1 - static_cast<double>(step) /
                                    static_cast<double>(std::max<std::int64_t>(1, total_steps_)));
  if (2 * step < total_steps_) {
    state_.forget_target();  // too early to count
  }
  if (searches(step)) {
    const BilevelStep::LogitsResult found = step_.train_logits({.step = step,
                                                                .training = training,
                                                                .validation = validation,
                                                                .auxiliary = auxiliary,
                                                                .rate = rate,
                                                                .reference = reference_},
                                                               state_);
    state_.epoch.logits.add(found.loss, 0);
    state_.expected = found.expected;
    state_.entropy = found.entropy;
  }
  const double loss = step_.train_weights(step, training, auxiliary, rate, state_);
  const double seconds = seconds_since(begin);
  state_.epoch.weights.add(loss, seconds);
  since_report_s_ += seconds;
  ++since_report_;
}

void Run::report(std::int64_t step) {
  if (!progress_ || !writes()) {
    return;
  }
  char text[160];
  const double per_s = static_cast<double>(since_report_ * options_.batch_size) / since_report_s_;
  int length = std::snprintf(text, sizeof(text), "epoch %lld, loss %.3f, %.0f images/s",
                             static_cast<long long>(epoch_of(step) + 1),
                             state_.epoch.weights.mean_loss(), per_s);
  if (options_.goal.latency != nullptr && searches(step)) {
    std::snprintf(text + length, sizeof(text) - static_cast<std::size_t>(length),
                  ", expected %.4g, derived %.4g %s, weight %.3f", state_.expected,
                  derived(mixer_.logits()), options_.goal.unit.c_str(), state_.multiplier);
  } else if (!searches(step)) {
    std::snprintf(text + length, sizeof(text) - static_cast<std::size_t>(length),
                  ", cells are searched from epoch %.4g on", options_.first_logits_epoch + 1);
  }
  progress_({"search", step + 1, total_steps_, text});
  since_report_s_ = 0;
  since_report_ = 0;
}

double Run::validate() {
  const Evaluator evaluator(dataset_, {.augment = options_.augment, .seed = options_.seed});
  const nn::Binding binding = step_.bound();
  return evaluator.top1(net_, binding, dataset_.validation,
                        std::min(options_.validation_images, dataset_.validation.size()));
}

/// Latency of the cells that the logits give now; 0 where none counts.
double Run::derived(const search::CellLogits& logits) const {
  return options_.goal.latency == nullptr
             ? 0.0
             : search::derived_latency(logits, *options_.goal.latency, options_.max_skips);
}

/// Has rank 0 write the epoch's line.
void Run::finish_epoch(std::int64_t steps_done) {
  const search::CellLogits logits = mixer_.logits();
  const auto cells = search::derive_cells(logits, options_.max_skips);
  nlohmann::ordered_json record{
      {"step", steps_done},
      {"epoch", epoch_of(steps_done - 1) + 1},
      {"loss", state_.epoch.weights.mean_loss()},
      {"logits_loss", nullptr},
      {"learning_rate", learning_rate(steps_done - 1)},
      {"images_per_s", state_.epoch.weights.images_per_s(options_.batch_size)}};
  if (state_.epoch.logits.steps > 0) {
    record["logits_loss"] = state_.epoch.logits.mean_loss();
    record["entropy"] = state_.entropy;
    if (options_.goal.latency != nullptr) {
      record["expected_" + options_.goal.unit] = state_.expected;
      record["derived_" + options_.goal.unit] = derived(logits);
      record["latency_weight"] = state_.multiplier;
    }
  }
  if (!state_.eigenvalues.empty()) {
    record["eigenvalue"] = state_.eigenvalues.back();
  }
  if (options_.validation_images > 0) {
    record["top1"] = {{"search_net", validate()}};
  }
  record["genotype"] = space::genotype_to_text(cells.front(), cells.back());
  metrics_.append(record);
}

/// A batch of each shard that is the same each time, without augmentation.
std::vector<Batch> Run::first_images() const {
  const std::int64_t per_shard = options_.batch_size / options_.shards;
  std::vector<Batch> batches;
  for (int shard = here_.first; shard < here_.first + here_.count; ++shard) {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(per_shard));
    std::iota(indices.begin(), indices.end(), shard * per_shard);
    batches.push_back(make_batch(halves_.logits.train, indices, {}, halves_.logits.normalization));
  }
  return batches;
}

/// Whether the Hessian says that the search has gone wrong; the logits then are those of before.
bool Run::goes_wrong(std::int64_t steps_done) {
  if (options_.eigenvalue_growth == 0 || !searches(steps_done - 1)) {
    return false;
  }
  state_.eigenvalues.push_back(step_.eigenvalue(first_images(), kEigenIterations, options_.seed));
  state_.history.push_back(mixer_.logits());
  const std::size_t count = state_.eigenvalues.size();
  if (count < 2 * kEigenWindow) {
    return false;
  }
  const auto mean_before = [&](std::size_t end) {
    double sum = 0;
    for (std::size_t i = end - kEigenWindow; i < end; ++i) {
      sum += std::abs(state_.eigenvalues[i]);
    }
    return sum / static_cast<double>(kEigenWindow);
  };
  if (mean_before(count) < options_.eigenvalue_growth * mean_before(count - kEigenWindow)) {
    return false;
  }
  mixer_.set_logits(state_.history[count - 1 - kEigenWindow]);
  state_.forget_target();
  return true;
}

/// All processes go on with what rank 0 has, should machines have rounded differently.
void Run::end_epoch(std::int64_t steps_done) {
  const bool wrong = goes_wrong(steps_done);
  state_.stopped = group_.from_rank_0([&]() -> nlohmann::json { return wrong; }).get<bool>();
  state_.share(group_);
  if (writes()) {
    finish_epoch(steps_done);
  }
  state_.epoch = {};
}

SearchedCells Run::execute() {
  reference_ = reference();
  require_agreement();
  if (options_.goal.latency != nullptr && progress_ && writes()) {
    char text[200];
    std::snprintf(text, sizeof(text),
                  "reference latency %.4g %s (%s): a weight of 1 is %.4g a%s %s", reference_,
                  options_.goal.unit.c_str(),
                  options_.goal.target > 0 ? "the target" : "of cells drawn evenly", 1 / reference_,
                  options_.goal.unit == "ms" ? "" : "n", options_.goal.unit.c_str());
    progress_({"search", 0, 0, text});
  }
  const std::filesystem::path path = checkpoint_path(options_.folder);
  const std::int64_t start = begin();
  const BatchFeedOptions feed{
      .batch_size = options_.batch_size,
      .shards = options_.shards,
      .here = here_,
      .augment = options_.augment,
      .seed = options_.seed,
      .first_step = start,
      .loader_threads = loader_threads(options_.loader_threads, dataset_, state_.weights.device(),
                                       options_.threads)};
  BatchFeedOptions other = feed;
  other.seed = Rng::derived(options_.seed, {kLogitsSeed}).next();
  BatchFeed of_weights(halves_.weights, feed);
  BatchFeed of_logits(halves_.logits, other);
  auto saved = Clock::now();
  for (std::int64_t step = start; step < total_steps_ && !state_.stopped; ++step) {
    train_step(step, of_weights, of_logits);
    const bool last = step + 1 == total_steps_;
    const bool epoch_ends = (step + 1) % steps_per_epoch_ == 0 || last;
    if ((step + 1) % kStepsPerReport == 0 || last) {
      report(step);
    }
    if (epoch_ends) {
      end_epoch(step + 1);
    }
    if (writes() && (epoch_ends || seconds_since(saved) >= options_.checkpoint_s)) {
      state_.save(path, settings(), step + 1);
      saved = Clock::now();
    }
  }
  const search::CellLogits found = state_.found();
  return {.logits = found,
          .passed = state_.held_back() ? state_.passed : std::vector<search::PassedCells>(),
          .reference = reference_,
          .expected = state_.expected,
          .derived = derived(found),
          .weight = state_.multiplier,
          .stopped_early = state_.stopped};
}

}  // namespace

SearchHalves search_halves(const data::Dataset& dataset, std::uint64_t seed) {
  const std::vector<int> all = data::labels(dataset.train);
  const std::vector<std::int64_t> first =
      data::stratified_sample(all, dataset.train.num_classes(), dataset.train.size() / 2,
                              Rng::derived(seed, {kHalvesStream}).next());
  std::vector<std::int64_t> rest;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < dataset.train.size(); ++i) {
    if (next < first.size() && first[next] == i) {
      ++next;
    } else {
      rest.push_back(i);
    }
  }
  SearchHalves halves{dataset, dataset};
  halves.weights.train = dataset.train.view(first);
  halves.logits.train = dataset.train.view(rest);
  return halves;
}

SearchedCells search_cells(nn::SharedWeights& weights, CellMixer& mixer,
                           const space::CellSearchNet& net, const data::Dataset& dataset,
                           const SearchCellsOptions& options, const ProgressFn& progress) {
  check(options);
  check(dataset);
  return Run(weights, mixer, net, dataset, options, progress).execute();
}

}  // namespace lathe::train
