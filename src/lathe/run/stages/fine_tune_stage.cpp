#include "lathe/run/stages/fine_tune_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "lathe/core/hash.h"
#include "lathe/core/short_digits.h"
#include "lathe/nn/threads.h"
#include "lathe/train/strategies/plain.h"

namespace lathe::run {
namespace {

/// A net with weights of its own, which begin as those of the supernet's.
std::unique_ptr<nn::SharedWeights> taken_out(const Trained& trained,
                                             const train::Evaluator& evaluator,
                                             const space::Arch& arch) {
  const graph::Graph graph = trained.space->graph(arch);
  auto weights =
      std::make_unique<nn::SharedWeights>(trained.space->name(), graph, std::vector<int>{},
                                          nn::WeightOptions{.device = trained.device()});
  weights->load_state(evaluator.extract(*trained.weights, graph).weights, "[run::fine_tune]");
  return weights;
}

/// The same with random ones.
std::unique_ptr<nn::SharedWeights> from_scratch(const Trained& trained, const space::Arch& arch,
                                                std::uint64_t seed) {
  return std::make_unique<nn::SharedWeights>(
      trained.space->name(), trained.space->graph(arch), std::vector<int>{},
      nn::WeightOptions{.seed = seed, .device = trained.device()});
}

train::TrainOptions options_of_one(const TrainJob& job, const FineTuneOptions& options,
                                   const std::filesystem::path& folder) {
  train::TrainOptions one = job.train;
  one.shards = 1;
  one.threads = 1;
  one.group = nullptr;
  one.validation_images = 0;
  one.average_decay = 0;
  one.seed = job.seed;
  one.folder = folder;
  one.step_s = {};
  if (options.step_s > 0) {
    one.step_s = [seconds = options.step_s](std::int64_t) { return seconds; };
  }
  return one;
}

/// The same for the same net, whichever others there are.
std::string folder_name(const space::Space& space, const space::Arch& arch) {
  return short_digits(fnv1a(space.to_json(arch).dump()));
}

}  // namespace

std::vector<graph::Net> fine_tune(const Trained& trained, const TrainJob& job,
                                  const train::Evaluator& evaluator,
                                  std::span<const space::Arch> archs, const space::Arch& teacher,
                                  const FineTuneOptions& options, const RunFolder& folder,
                                  const ProgressFn& progress) {
  const space::Space& space = *trained.space;
  const nn::Executor teacher_net(space.graph(teacher));
  // A search of cells has no weights to learn from.
  const auto teacher_weights =
      options.teacher_share > 0 ? taken_out(trained, evaluator, teacher) : nullptr;
  std::vector<train::LossTerm> losses{{train::Target::kLabels, 1 - options.teacher_share}};
  if (options.teacher_share > 0) {
    losses.push_back({train::Target::kTeacher, options.teacher_share});
  }
  const std::string stage = options.from_scratch ? "from scratch" : "fine-tune";
  const std::filesystem::path root =
      folder.root() / (options.from_scratch ? "from_scratch" : "fine_tune");
  std::vector<graph::Net> tuned(archs.size(), graph::Net{space.graph(teacher), {}});
  std::vector<std::int64_t> done(archs.size(), 0);
  std::mutex reporting;
  std::atomic<std::size_t> next{0};
  const auto tune = [&](std::size_t i) {
    const auto weights = options.from_scratch ? from_scratch(trained, archs[i], job.seed)
                                              : taken_out(trained, evaluator, archs[i]);
    const auto strategy = train::make_plain({.schedule = {.peak = options.learning_rate,
                                                          .total_steps = options.steps,
                                                          .warmup_steps = options.warmup_steps},
                                             .arch = archs[i],
                                             .losses = losses});
    train::TrainOptions one = options_of_one(job, options, root / folder_name(space, archs[i]));
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
      std::int64_t all = 0;
      for (const std::int64_t steps : done) all += steps;
      progress({stage, all, options.steps * static_cast<std::int64_t>(archs.size()),
                fmt::format("net {} of {}  {}", i + 1, archs.size(), p.message)});
    });
    tuned[i] = evaluator.extract(*weights, space.graph(archs[i]));
  };
  nn::Workers workers(std::max(1, std::min(options.threads, static_cast<int>(archs.size()))),
                      /*threads_each=*/1);
  workers.run([&](int) {
    for (std::size_t i = next++; i < archs.size(); i = next++) {
      tune(i);
    }
  });
  return tuned;
}

}  // namespace lathe::run
