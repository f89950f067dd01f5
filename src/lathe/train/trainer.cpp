#include "lathe/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/nn/threads.h"
#include "lathe/train/checkpoint.h"
#include "lathe/train/loss.h"

namespace lathe::train {
namespace {

using Clock = std::chrono::steady_clock;

// Streams of random numbers that must not meet.
constexpr std::uint64_t kDropoutStream = 0x64726f70;
constexpr std::int64_t kStepsPerReport = 10;

class Run {
 public:
  Run(nn::Supernet& supernet, const Strategy& strategy, const data::Dataset& dataset,
      const TrainOptions& options, const ProgressFn& progress)
      : supernet_(supernet),
        strategy_(strategy),
        dataset_(dataset),
        options_(options),
        progress_(progress),
        total_steps_(total_steps(options, dataset.train.size())),
        steps_per_epoch_(dataset.train.size() / options.batch_size),
        schedule_{.peak = options.learning_rate,
                  .total_steps = total_steps_,
                  .warmup_steps =
                      std::llround(options.warmup_epochs * static_cast<double>(steps_per_epoch_))},
        workers_(std::min(options.shards, options.threads),
                 std::max(1, options.threads / options.shards)),
        optimizer_(supernet.parameters(), options.sgd),
        evaluator_(dataset, {.augment = options.augment, .seed = options.seed}),
        metrics_(options.folder / "metrics.jsonl") {}

  std::int64_t execute();

 private:
  std::int64_t restore();
  void begin_epoch(std::int64_t epoch);
  double train_step(std::int64_t step);
  double run_shard(std::int64_t step, int shard, const std::vector<Pass>& passes);
  void report(std::int64_t step);
  void finish_epoch(std::int64_t steps_done);
  nlohmann::json settings() const;

  nn::Supernet& supernet_;
  const Strategy& strategy_;
  const data::Dataset& dataset_;
  const TrainOptions& options_;
  const ProgressFn& progress_;
  std::int64_t total_steps_;
  std::int64_t steps_per_epoch_;
  CosineSchedule schedule_;
  nn::Workers workers_;
  Sgd optimizer_;
  Evaluator evaluator_;
  JsonLines metrics_;
  std::optional<data::Batches> batches_;
  std::int64_t epoch_ = -1;
  // Since the last report, and since the epoch began.
  double report_loss_ = 0, epoch_loss_ = 0;
  std::int64_t report_steps_ = 0, epoch_steps_ = 0;
  double report_seconds_ = 0, epoch_seconds_ = 0;
};

nlohmann::json Run::settings() const {
  return {{"strategy", strategy_.to_json()},
          {"dataset", dataset_.name},
          {"train_images", dataset_.train.size()},
          {"epochs", options_.epochs},
          {"batch_size", options_.batch_size},
          {"shards", options_.shards},
          {"learning_rate", options_.learning_rate},
          {"warmup_epochs", options_.warmup_epochs},
          {"momentum", options_.sgd.momentum},
          {"weight_decay", options_.sgd.weight_decay},
          {"label_smoothing", options_.label_smoothing},
          {"crop_padding", options_.augment.crop_padding},
          {"horizontal_flip", options_.augment.horizontal_flip},
          {"cutout", options_.augment.cutout},
          {"seed", options_.seed}};
}

std::int64_t Run::restore() {
  const std::filesystem::path path = checkpoint_path(options_.folder);
  const std::int64_t done =
      std::filesystem::exists(path) ? load_checkpoint(path, supernet_, optimizer_, settings()) : 0;
  // A crash between the metrics line and the checkpoint leaves a line too many.
  const std::filesystem::path metrics = options_.folder / "metrics.jsonl";
  const std::vector<nlohmann::json> lines = metrics_.read();
  std::string kept;
  std::size_t num_kept = 0;
  for (const nlohmann::json& line : lines) {
    if (json_member<std::int64_t>(line, "step", metrics.string()) <= done) {
      kept += line.dump() + "\n";
      ++num_kept;
    }
  }
  if (num_kept < lines.size()) {
    write_file_atomic(metrics, kept);
  }
  return done;
}

void Run::begin_epoch(std::int64_t epoch) {
  batches_ =
      data::Batches::training(dataset_.train.size(), options_.batch_size, options_.seed, epoch);
  epoch_ = epoch;
  epoch_loss_ = 0;
  epoch_steps_ = 0;
  epoch_seconds_ = 0;
}

double Run::train_step(std::int64_t step) {
  if (strategy_.sorts_channels_before(step)) {
    nn::sort_channels(supernet_, {optimizer_.momentum()});
  }
  const std::vector<Pass> passes = strategy_.passes(step);
  std::vector<double> losses(static_cast<std::size_t>(options_.shards));
  workers_.run([&](int worker) {
    for (int shard = worker; shard < options_.shards; shard += workers_.count()) {
      losses[static_cast<std::size_t>(shard)] = run_shard(step, shard, passes);
    }
  });
  const nn::Parameters& parameters = supernet_.parameters();
  {
    const c10::NoGradGuard no_grad;
    for (int shard = 1; shard < options_.shards; ++shard) {
      parameters.grads().add_(parameters.grads(shard));
      parameters.grads(shard).zero_();
    }
  }
  optimizer_.step(schedule_.at(step));
  return mean(losses);
}

double Run::run_shard(std::int64_t step, int shard, const std::vector<Pass>& passes) {
  const std::int64_t size = options_.batch_size / options_.shards;
  const auto images = (*batches_)[step % steps_per_epoch_].subspan(
      static_cast<std::size_t>(shard * size), static_cast<std::size_t>(size));
  const Batch batch = make_batch(dataset_.train, images,
                                 data::Augmentation{options_.augment, options_.seed, epoch_},
                                 dataset_.normalization);
  const at::Generator generator = at::detail::createCPUGenerator(
      Rng::derived(options_.seed, {kDropoutStream, static_cast<std::uint64_t>(step),
                                   static_cast<std::uint64_t>(shard)})
          .next());
  at::Tensor first_logits;
  double first_loss = 0;
  for (const Pass& pass : passes) {
    const nn::Executor net(supernet_.space().graph(pass.arch));
    const at::Tensor logits =
        net.forward(supernet_.bind(net.graph(), shard), batch.images,
                    {.training = true, .dropout = pass.dropout, .generator = generator});
    const at::Tensor loss = pass.target == Target::kLabels
                                ? label_loss(logits, batch.labels, options_.label_smoothing)
                                : soft_label_loss(logits, first_logits);
    (loss * (pass.weight / options_.shards)).backward();
    const double value = loss.item<double>();
    if (!first_logits.defined()) {
      first_logits = logits.detach();
      first_loss = value;
    } else if (!std::isfinite(value)) {
      first_loss = value;  // a subnet's failure ends the run as the largest net's does
    }
  }
  return first_loss;
}

void Run::report(std::int64_t step) {
  const double images_per_s =
      static_cast<double>(report_steps_ * options_.batch_size) / report_seconds_;
  std::ostringstream text;
  text.precision(3);
  text << "epoch " << epoch_ + 1 << "  loss " << report_loss_ / static_cast<double>(report_steps_)
       << "  lr " << schedule_.at(step) << "  " << std::llround(images_per_s) << " images/s";
  progress_({"train", step + 1, schedule_.total_steps, text.str()});
  report_loss_ = 0;
  report_steps_ = 0;
  report_seconds_ = 0;
}

void Run::finish_epoch(std::int64_t steps_done) {
  nlohmann::ordered_json line{
      {"step", steps_done},
      {"epoch", static_cast<double>(steps_done) / static_cast<double>(steps_per_epoch_)},
      {"loss", epoch_loss_ / static_cast<double>(epoch_steps_)},
      {"learning_rate", schedule_.at(steps_done - 1)},
      {"nets_per_step", strategy_.passes(steps_done - 1).size()},
      {"images_per_s", static_cast<double>(epoch_steps_ * options_.batch_size) / epoch_seconds_}};
  std::ostringstream text;
  text.precision(4);
  text << "step " << steps_done << ": loss " << line["loss"].get<double>() << ", "
       << std::llround(line["images_per_s"].get<double>()) << " images/s";
  if (options_.validation_images > 0) {
    const space::Space& space = supernet_.space();
    const std::array<space::Arch, 2> archs{space.largest(), space.smallest()};
    std::array<double, 2> top1{};
    workers_.run([&](int worker) {
      for (auto i = static_cast<std::size_t>(worker); i < archs.size();
           i += static_cast<std::size_t>(workers_.count())) {
        top1[i] = evaluator_.validation_top1(supernet_, archs[i], options_.validation_images);
      }
    });
    line["largest_top1"] = top1[0];
    line["smallest_top1"] = top1[1];
    text << ", validation top-1 " << 100 * line["largest_top1"].get<double>() << "% largest, "
         << 100 * line["smallest_top1"].get<double>() << "% smallest net";
  }
  metrics_.append(line);
  save_checkpoint(checkpoint_path(options_.folder), supernet_, optimizer_, steps_done, settings());
  progress_({"train", 0, 0, text.str()});
}

std::int64_t Run::execute() {
  const std::int64_t start = restore();
  for (std::int64_t step = start; step < schedule_.total_steps; ++step) {
    if (step / steps_per_epoch_ != epoch_) {
      begin_epoch(step / steps_per_epoch_);
    }
    const Clock::time_point before = Clock::now();
    const double loss = train_step(step);
    const double seconds = std::chrono::duration<double>(Clock::now() - before).count();
    if (!std::isfinite(loss)) {
      throw Error("training diverged: the loss of step " + std::to_string(step) +
                  " is not finite; lower --lr (now " + std::to_string(options_.learning_rate) +
                  ")");
    }
    report_loss_ += loss;
    epoch_loss_ += loss;
    report_seconds_ += seconds;
    epoch_seconds_ += seconds;
    ++report_steps_;
    ++epoch_steps_;
    const bool last = step + 1 == schedule_.total_steps;
    if ((step + 1) % steps_per_epoch_ == 0 || last) {
      finish_epoch(step + 1);
    }
    if ((step + 1) % kStepsPerReport == 0 || last) {
      report(step);
    }
  }
  return schedule_.total_steps - start;
}

}  // namespace

std::int64_t total_steps(const TrainOptions& options, std::int64_t train_images) {
  if (options.batch_size < 1) {
    throw std::invalid_argument("[train::total_steps] batch_size must be > 0, got " +
                                std::to_string(options.batch_size));
  }
  const double steps = options.epochs * static_cast<double>(train_images / options.batch_size);
  if (!(steps >= 1)) {
    throw std::invalid_argument("[train::total_steps] epochs " + std::to_string(options.epochs) +
                                " of " + std::to_string(train_images) + " images in batches of " +
                                std::to_string(options.batch_size) + " make no step");
  }
  return std::llround(steps);
}

std::filesystem::path checkpoint_path(const std::filesystem::path& folder) {
  return folder / "checkpoint" / "supernet.safetensors";
}

std::int64_t train_supernet(nn::Supernet& supernet, const Strategy& strategy,
                            const data::Dataset& dataset, const TrainOptions& options,
                            const ProgressFn& progress) {
  if (options.shards < 1 || options.batch_size % options.shards != 0 ||
      supernet.parameters().replicas() != options.shards) {
    throw std::invalid_argument("[train::train_supernet] batch_size " +
                                std::to_string(options.batch_size) +
                                " must be a multiple of shards " + std::to_string(options.shards) +
                                ", and the supernet have as many replicas, got " +
                                std::to_string(supernet.parameters().replicas()));
  }
  return Run(supernet, strategy, dataset, options, progress).execute();
}

}  // namespace lathe::train
