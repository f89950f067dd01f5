#include "lathe/train/cells/search_benchmark.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <stdexcept>
#include <string>

#include "lathe/graph/counts.h"

namespace lathe::train {
namespace {

SearchCellsOptions options_of(const SearchWork& work) {
  if (work.batch_size < 1 || work.shards < 1 || work.batch_size % work.shards != 0) {
    throw std::invalid_argument(
        "[train::SearchBenchmark] batch_size must be a multiple of shards, got " +
        std::to_string(work.batch_size) + " and " + std::to_string(work.shards));
  }
  SearchCellsOptions options;
  options.second_order = work.second_order;
  options.batch_size = work.batch_size;
  options.shards = work.shards;
  options.threads = work.threads;
  options.kernels = work.kernels;
  return options;
}

}  // namespace

SearchBenchmark::SearchBenchmark(const space::CellSpec& spec, const SearchWork& work)
    : options_(options_of(work)),
      net_(space::cell_search_graph(spec, work.net)),
      weights_(spec.name, net_.graph, {},
               {.seed = work.seed, .replicas = work.shards, .device = work.device}),
      mixer_(net_, {.edge_weights = work.edge_weights,
                    .replicas = work.shards,
                    .seed = work.seed,
                    .device = work.device}),
      executor_(net_.graph),
      step_(weights_, mixer_, executor_, options_, alone_),
      state_(weights_, mixer_, options_) {
  const auto generator = at::detail::createCPUGenerator(work.seed);
  const auto layout =
      work.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const graph::Shape input = net_.graph.input_shape();
  const std::int64_t part = work.batch_size / work.shards;
  for (std::vector<Batch>* batches : {&training_, &validation_}) {
    for (int shard = 0; shard < work.shards; ++shard) {
      batches->push_back(
          on_device({at::randn({part, input.channels, input.height, input.width}, generator)
                         .contiguous(layout),
                     at::randint(spec.task.num_classes, {part}, generator, at::kLong)},
                    work.device, layout));
    }
  }
}

double SearchBenchmark::step() {
  step_.train_logits({.training = training_,
                      .validation = validation_,
                      .rate = options_.learning_rate,
                      .reference = 1},
                     state_);
  return step_.train_weights(0, training_, 0, options_.learning_rate, state_);
}

std::int64_t SearchBenchmark::macs() const { return graph::macs(net_.graph); }

}  // namespace lathe::train
