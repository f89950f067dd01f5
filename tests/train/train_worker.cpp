// One process of the distributed trainer's tests: lathe_train_worker OPTIONS, a JSON object with
// "folder", "out", "shards" and what is to differ from the defaults below. Trains by a strategy
// that uses all that a plan can ask for, each step depending on the observations of those before,
// and writes the weights it ends with to "out"; or, if "cells" is set, searches cells, and writes
// what it found. An error goes to standard error with exit code 1.
#include <bit>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/core/file.h"
#include "lathe/core/hash.h"
#include "lathe/core/random.h"
#include "lathe/dist/process_group.h"
#include "lathe/nn/supernet.h"
#include "lathe/nn/threads.h"
#include "lathe/train/cells/search_cells.h"
#include "lathe/train/step/step.h"
#include "lathe/train/trainer.h"
#include "search/synthetic_models.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

class Everything final : public Strategy {
 public:
  Everything(const space::Space& space, std::int64_t total_steps, double learning_rate)
      : space_(space), total_steps_(total_steps), learning_rate_(learning_rate) {}

  std::int64_t total_steps() const override { return total_steps_; }

  StepPlan plan(std::int64_t step) const override {
    Rng rng = Rng::derived(7, {seen_, static_cast<std::uint64_t>(step)});
    StepPlan plan{.learning_rate = learning_rate_};
    plan.passes.push_back({.arch = space_.largest(), .dropout = true, .observe = true});
    plan.passes.push_back({.arch = space_.sample(rng),
                           .losses = {{Target::kLabels, 0.5}, {Target::kFirstPass, 0.5}}});
    if (step > total_steps_ / 3) {
      plan.passes.push_back({.arch = space_.sample(rng),
                             .losses = {{Target::kTeacher, 1.0}, {Target::kLabels, 0.1}},
                             .observe = step % 2 == 0});
    }
    plan.keep_teacher = step == total_steps_ / 3;
    if (step == total_steps_ / 2) plan.sort_channels.emplace();
    plan.restart_optimizer = step == 2 * total_steps_ / 3;
    return plan;
  }

  void observe(std::int64_t /*step*/, const std::vector<Observation>& observations) override {
    for (const Observation& observation : observations) {
      std::vector<std::uint8_t> bytes;
      for (const float loss : observation.losses) {
        const auto bits = std::bit_cast<std::uint32_t>(loss);
        for (int shift = 0; shift < 32; shift += 8) {
          bytes.push_back(static_cast<std::uint8_t>(bits >> shift));
        }
      }
      seen_ = 31 * seen_ + fnv1a(bytes) % 1000003;
    }
  }

  nlohmann::json state() const override { return seen_; }
  void restore(const nlohmann::json& state) override { seen_ = state.get<std::uint64_t>(); }
  nlohmann::json to_json() const override {
    return {{"method", "everything"}, {"learning_rate", learning_rate_}};
  }
  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

 private:
  const space::Space& space_;
  std::int64_t total_steps_;
  double learning_rate_;
  std::uint64_t seen_ = 1;
};

dist::ProcessGroup meet() {
  std::map<std::string, std::string> variables;
  for (const char* name : dist::launch_variables()) {
    if (const char* value = std::getenv(name)) variables[name] = value;
  }
  const dist::Launch launch = dist::launch_from(variables);
  return {launch, {.connect_timeout_s = 20, .timeout_s = 1000}};
}

void train_nets(const nlohmann::json& options, dist::ProcessGroup& group) {
  const int shards = options.at("shards");
  const int own = shards_here(&group, shards);
  const auto space = lathe::testing::pattern_space();
  const data::Dataset dataset = lathe::testing::pattern_dataset(128);
  const std::int64_t batch_size = options.value("batch_size", 16);
  const auto per_epoch = dataset.train.size() / batch_size;
  Everything strategy(*space, options.value("epochs", 6) * per_epoch,
                      options.value("learning_rate", 0.05));
  nn::Supernet supernet(space, {.seed = options.value("seed", std::uint64_t{1}), .replicas = own});
  TrainOptions train_options;
  train_options.batch_size = batch_size;
  train_options.shards = shards;
  train_options.threads = own;
  train_options.group = &group;
  train_options.reducer.bucket_bytes = options.value("bucket_bytes", 20000);
  train_options.average_decay = 0.9;
  train_options.augment.crop_padding = 1;
  train_options.validation_images = 32;
  train_options.checkpoint_s = std::numeric_limits<double>::infinity();
  train_options.checkpoint_steps = options.value("checkpoint_steps", 0);
  train_options.seed = 6;
  train_options.folder = options.at("folder").get<std::string>();
  train(supernet, *space, strategy, dataset, train_options,
        [](const Progress& progress) { std::cout << progress.message << std::endl; });
  save_safetensors(options.at("out").get<std::string>(), {supernet.state(), {}});
}

void search(const nlohmann::json& options, dist::ProcessGroup& group) {
  const auto space = space::make_cell_space(lathe::testing::pattern_cells());
  const space::CellSearchNet net = space::cell_search_graph(
      lathe::testing::pattern_cells(), {.channel_parts = 2, .auxiliary_skips = true});
  const lathe::testing::AdditiveLatency model(*space, 1);
  const search::CellLatency latency(*space, model);
  const int shards = options.at("shards");
  const int own = shards_here(&group, shards);
  const std::uint64_t seed = options.value("seed", std::uint64_t{1});
  nn::SharedWeights weights("tiny", net.graph, {}, {.seed = seed, .replicas = own});
  CellMixer mixer(net, {.edge_weights = true, .replicas = own, .seed = seed});
  SearchCellsOptions search_options{.epochs = options.value("epochs", 3.0),
                                    .first_logits_epoch = 1,
                                    .second_order = options.value("second_order", false),
                                    .batch_size = options.value("batch_size", 16),
                                    .shards = shards,
                                    .threads = own,
                                    .group = &group,
                                    .learning_rate = options.value("learning_rate", 0.05),
                                    .logits_learning_rate = 0.02,
                                    .goal = {.latency = &latency, .target = 1},
                                    .perturbation = 0.01,
                                    .auxiliary_skip = 0.5,
                                    .eigenvalue_growth = 1e6,
                                    .augment = {.crop_padding = 1},
                                    .validation_images = 32,
                                    .checkpoint_s = options.value("checkpoint_s", 1e9),
                                    .seed = 6,
                                    .folder = options.at("folder").get<std::string>()};
  const SearchedCells found =
      search_cells(weights, mixer, net, lathe::testing::pattern_dataset(128), search_options,
                   [](const Progress& progress) { std::cout << progress.message << std::endl; });
  write_file_atomic(options.at("out").get<std::string>(),
                    nlohmann::json(found.logits.to_json()).dump());
}

int worker(const nlohmann::json& options) {
  dist::ProcessGroup group = meet();
  nn::set_num_threads(1);
  options.value("cells", false) ? search(options, group) : train_nets(options, group);
  return 0;
}

}  // namespace
}  // namespace lathe::train

int main(int argc, char** argv) {
  try {
    return argc == 2 ? lathe::train::worker(lathe::parse_json(argv[1], "OPTIONS")) : 2;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
