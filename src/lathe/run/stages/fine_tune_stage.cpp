#include "lathe/run/stages/fine_tune_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>

#include "lathe/core/hash.h"
#include "lathe/core/short_digits.h"
#include "lathe/nn/threads.h"
#include "lathe/run/stages/side_by_side.h"
#include "lathe/train/strategies/plain.h"

namespace lathe::run {
namespace {

/// A net with weights of its own, which begin as those of the supernet's.
std::unique_ptr<nn::SharedWeights> taken_out(const Trained& trained,
                                             const train::Evaluator& evaluator,
                                             const space::Arch& arch, int shards) {
  const graph::Graph graph = trained.space->graph(arch);
  auto weights = std::make_unique<nn::SharedWeights>(
      trained.space->name(), graph, std::vector<int>{},
      nn::WeightOptions{.replicas = shards, .device = trained.device()});
  weights->load_state(evaluator.extract(*trained.weights, graph).weights, "[run::fine_tune]");
  return weights;
}

/// The same with random ones.
std::unique_ptr<nn::SharedWeights> from_scratch(const Trained& trained, const space::Arch& arch,
                                                std::uint64_t seed, int shards) {
  return std::make_unique<nn::SharedWeights>(
      trained.space->name(), trained.space->graph(arch), std::vector<int>{},
      nn::WeightOptions{.seed = seed, .replicas = shards, .device = trained.device()});
}

train::TrainOptions options_of_one(const TrainJob& job, int shards, const FineTuneOptions& options,
                                   int threads, const std::filesystem::path& folder) {
  train::TrainOptions one = job.train;
  one.shards = shards;
  one.threads = threads;
  one.group = nullptr;
  one.validation_images = 0;
  one.average_decay = 0;
  one.seed = job.seed;
  one.folder = folder;
  one.step_s = {};
  if (options.step_s > 0) {
    one.step_s = [seconds = options.step_s / threads](std::int64_t) { return seconds; };
  }
  return one;
}

/// The same for the same net, whichever others there are. An older version had one shard alone,
/// whose checkpoints are of another training.
std::string folder_name(const space::Space& space, const space::Arch& arch, int shards) {
  return short_digits(fnv1a(space.to_json(arch).dump())) +
         (shards == 1 ? "" : fmt::format("-{}", shards));
}

}  // namespace

int fine_tune_shards(const Trained& trained, const TrainJob& job) {
  return trained.device().is_cpu() && job.train.batch_size % 2 == 0 ? 2 : 1;
}

std::vector<graph::Net> fine_tune(const Trained& trained, const TrainJob& job,
                                  const train::Evaluator& evaluator,
                                  std::span<const space::Arch> archs, const space::Arch& teacher,
                                  const FineTuneOptions& options, const RunFolder& folder,
                                  const ProgressFn& progress) {
  const space::Space& space = *trained.space;
  const int shards = fine_tune_shards(trained, job);
  const nn::Executor teacher_net(space.graph(teacher));
  // A search of cells has no weights to learn from.
  const auto teacher_weights =
      options.teacher_share > 0 ? taken_out(trained, evaluator, teacher, 1) : nullptr;
  std::vector<train::LossTerm> losses{{train::Target::kLabels, 1 - options.teacher_share}};
  if (options.teacher_share > 0) {
    losses.push_back({train::Target::kTeacher, options.teacher_share});
  }
  const std::string stage = options.from_scratch ? "from scratch" : "fine-tune";
  const std::filesystem::path root =
      folder.root() / (options.from_scratch ? "from_scratch" : "fine_tune");
  std::vector<graph::Net> tuned(archs.size(), graph::Net{space.graph(teacher), {}});
  std::vector<std::int64_t> done(archs.size(), 0), planned(archs.size(), options.steps);
  std::mutex reporting;
  const auto tune = [&](std::size_t i, int threads) {
    const auto weights = options.from_scratch ? from_scratch(trained, archs[i], job.seed, shards)
                                              : taken_out(trained, evaluator, archs[i], shards);
    const auto strategy = train::make_plain({.schedule = {.peak = options.learning_rate,
                                                          .total_steps = options.steps,
                                                          .warmup_steps = options.warmup_steps},
                                             .arch = archs[i],
                                             .losses = losses});
    train::TrainOptions one =
        options_of_one(job, shards, options, threads, root / folder_name(space, archs[i], shards));
    if (teacher_weights) {
      one.teacher = {.weights = teacher_weights.get(), .net = &teacher_net};
    }
    train::train(*weights, space, *strategy, trained.dataset, one, [&](const Progress& p) {
      const std::scoped_lock lock(reporting);
      if (p.total == 0) {
        progress({stage, 0, 0, fmt::format("net {}: {}", i + 1, p.message)});
        return;
      }
      done[i] = p.done;
      planned[i] = p.total;  // which follows the pace
      progress({stage, std::accumulate(done.begin(), done.end(), std::int64_t{0}),
                std::accumulate(planned.begin(), planned.end(), std::int64_t{0}),
                fmt::format("net {} of {}  {}", i + 1, archs.size(), p.message)});
    });
    tuned[i] = evaluator.extract(*weights, space.graph(archs[i]));
  };
  const auto tune_all = [&](std::size_t first, std::size_t count, int threads) {
    if (count == 0) return;
    std::atomic<std::size_t> next{first};
    nn::Workers workers(std::min(options.threads, static_cast<int>(count)), /*threads_each=*/1);
    workers.run([&](int) {
      for (std::size_t i = next++; i < first + count; i = next++) {
        tune(i, threads);
      }
    });
  };
  const SideBySide shared = side_by_side(archs.size(), options.threads, shards);
  tune_all(0, shared.on_one_thread, 1);
  tune_all(shared.on_one_thread, shared.rest, shared.threads_of_rest);
  return tuned;
}

}  // namespace lathe::run
